//! What a call asks the upstream to do, and what goes wrong on its way: it stands in the text of
//! the question, so that proxy and upstream find it in the bytes that pass.

use std::fmt::{self, Debug, Display};

/// How the upstream answers. Refusals are for the first time that a call asks only, so that who
/// asks again gets an answer; [`Manner::Refuse`] is for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// As it should.
    Well,
    /// With a 500.
    Broken,
    /// With a 429 that says when to come back.
    Busy,
    /// With a 400.
    Refuse,
    /// With a page for people.
    Html,
    /// With a 400, unless it is told under its newer name how long the answer may become.
    Newer,
    /// Without usage.
    NoUsage,
    /// With a usage of zero.
    ZeroUsage,
    /// With a usage above what was asked for.
    MuchUsage,
    /// For ever.
    Endless,
    /// Half, and then the connection ends.
    Close,
    /// Half, and then an error.
    Fail,
    /// Without `[DONE]`.
    NoDone,
    /// In chunks that are split anywhere.
    Split,
    /// Half, and the rest when somebody has waited for long.
    Pause,
    /// Nothing at all, with a good end.
    Silent,
}

pub const MANNERS: [Manner; 16] = [
    Manner::Well,
    Manner::Broken,
    Manner::Busy,
    Manner::Refuse,
    Manner::Html,
    Manner::Newer,
    Manner::NoUsage,
    Manner::ZeroUsage,
    Manner::MuchUsage,
    Manner::Endless,
    Manner::Close,
    Manner::Fail,
    Manner::NoDone,
    Manner::Split,
    Manner::Pause,
    Manner::Silent,
];

/// Where on a connection something happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Before the first byte.
    Connect,
    /// Inside the request line.
    RequestLine,
    /// Inside a header.
    Header,
    /// Between head and body.
    BeforeBody,
    /// Inside the body.
    Body,
    /// After the request, before the answer's head.
    Sent,
    /// Inside the answer's head.
    AnswerHead,
    /// Between two events.
    EventEnd,
    /// Inside the line of an event.
    Line,
    /// Inside a JSON token.
    Token,
    /// Inside a character of several bytes.
    Character,
    /// Before the usage.
    BeforeUsage,
    /// Before `[DONE]`.
    BeforeDone,
    /// Inside `: ambar-receipt`.
    Receipt,
    /// After the last byte.
    Answered,
}

pub const PLACES: [Place; 15] = [
    Place::Connect,
    Place::RequestLine,
    Place::Header,
    Place::BeforeBody,
    Place::Body,
    Place::Sent,
    Place::AnswerHead,
    Place::EventEnd,
    Place::Line,
    Place::Token,
    Place::Character,
    Place::BeforeUsage,
    Place::BeforeDone,
    Place::Receipt,
    Place::Answered,
];

/// What happens there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// The connection is reset.
    Reset,
    /// The connection ends.
    End,
    /// The rest comes later.
    Delay,
    /// Some bytes come twice.
    Repeat,
    /// Some bytes are lost.
    Skip,
}

pub const ACTS: [Act; 5] = [Act::Reset, Act::End, Act::Delay, Act::Repeat, Act::Skip];

/// Something that goes wrong on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    pub place: Place,
    pub act: Act,
}

impl Fault {
    /// Whether what arrives is not what was sent: nobody can believe it.
    pub fn corrupts(self) -> bool {
        matches!(self.act, Act::Repeat | Act::Skip)
    }

    pub fn read(text: &str) -> Option<Self> {
        let (place, act) = text.split_once('/')?;
        Some(Self { place: named(&PLACES, place)?, act: named(&ACTS, act)? })
    }
}

impl Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}/{:?}", self.place, self.act)
    }
}

fn named<T: Copy + Debug>(all: &[T], name: &str) -> Option<T> {
    all.iter().copied().find(|one| format!("{one:?}") == name)
}

/// What one call wants of the upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Script {
    /// The call.
    pub id: u64,
    /// Pieces of the answer.
    pub tokens: u32,
    /// Milliseconds between two of them.
    pub pace_ms: u64,
    pub manner: Manner,
    /// What goes wrong between gateway and upstream, the first time.
    pub fault: Option<Fault>,
}

/// What a script begins with, so that it is found in a body.
const BEGINS: &str = "script:";

impl Script {
    pub fn new(id: u64, tokens: u32, manner: Manner) -> Self {
        Self { id, tokens, pace_ms: 0, manner, fault: None }
    }

    /// The question that carries it.
    pub fn question(&self) -> String {
        let Self { id, tokens, pace_ms, manner, fault } = self;
        let fault = fault.map_or_else(|| "none".to_owned(), |fault| fault.to_string());
        format!("{BEGINS}{id}:{tokens}:{pace_ms}:{manner:?}:{fault}:")
    }

    /// The script somewhere in these bytes.
    pub fn find(bytes: &[u8]) -> Option<Self> {
        let at = bytes.windows(BEGINS.len()).position(|window| window == BEGINS.as_bytes())?;
        let text = &bytes[at + BEGINS.len()..];
        let text = String::from_utf8_lossy(&text[..text.len().min(200)]).into_owned();
        let mut parts = text.split(':');
        let mut part = || parts.next();
        Some(Self {
            id: part()?.parse().ok()?,
            tokens: part()?.parse().ok()?,
            pace_ms: part()?.parse().ok()?,
            manner: named(&MANNERS, part()?)?,
            fault: Fault::read(part()?),
        })
    }

    /// A piece of the answer: a token with characters of several bytes.
    pub fn piece(&self, at: u32) -> String {
        format!("{}é{at} ", self.id)
    }

    /// The first pieces of the answer.
    pub fn text(&self, pieces: u32) -> String {
        (0..pieces).map(|at| self.piece(at)).collect()
    }
}
