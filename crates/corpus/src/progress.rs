//! How far a build has come.

/// What is being done. With several segments, the stages after the first come again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Records are read and checked.
    Records,
    /// The suffix array is computed.
    Suffixes,
    /// Passages are cut and their terms indexed.
    Passages,
    /// The files are written and synced.
    Writing,
}

/// How far a build has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// What is being done.
    pub stage: Stage,
    /// Documents done in this stage, with those that are only begun left out.
    pub documents: u32,
    /// Bytes of text done in this stage.
    pub bytes: u64,
}

/// Passages of one document after which progress is told again.
const PASSAGES_PER_CALL: u32 = 4096;

/// Called at the start of each stage, after each document, and within long ones.
pub type Callback<'a> = &'a mut dyn FnMut(Progress);

/// Counts over all segments, and tells.
pub(crate) struct Tell<'a> {
    callback: Callback<'a>,
    read: (u32, u64),
    indexed: (u32, u64),
    /// Bytes indexed in earlier segments.
    before: u64,
    passages: u32,
}

impl<'a> Tell<'a> {
    /// Tells this callback.
    pub fn of(callback: Callback<'a>) -> Self {
        Self { callback, read: (0, 0), indexed: (0, 0), before: 0, passages: 0 }
    }

    fn tell(&mut self, stage: Stage, (documents, bytes): (u32, u64)) {
        (self.callback)(Progress { stage, documents, bytes });
    }

    /// A record of so many bytes has been read and checked.
    pub fn read(&mut self, bytes: usize) {
        self.read = (self.read.0 + 1, self.read.1 + bytes as u64);
        self.tell(Stage::Records, self.read);
    }

    /// A suffix array is begun, and with it a segment.
    pub fn suffixes(&mut self) {
        self.before = self.indexed.1;
        self.tell(Stage::Suffixes, (0, 0));
    }

    /// A passage that ends at this byte of the segment has been indexed.
    pub fn passage(&mut self, end: u64) {
        self.passages += 1;
        if self.passages.is_multiple_of(PASSAGES_PER_CALL) {
            self.tell(Stage::Passages, (self.indexed.0, self.before + end));
        }
    }

    /// A document that ends at this byte of the segment has been indexed.
    pub fn indexed(&mut self, end: u64) {
        self.indexed = (self.indexed.0 + 1, self.before + end);
        self.tell(Stage::Passages, self.indexed);
    }

    /// Files are written.
    pub fn writing(&mut self) {
        self.tell(Stage::Writing, (0, 0));
    }
}
