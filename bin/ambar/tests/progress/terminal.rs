//! A pseudo-terminal, and what a person sees on it.

use std::fs::File;
use std::io::{Error, Read};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::process::Stdio;
use std::ptr::{null, null_mut};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

/// Its width.
pub const COLUMNS: usize = 80;
/// Its height.
const ROWS: u16 = 24;

/// A terminal, from outside. What is written to it is taken at once, so that the program
/// never waits for room.
#[derive(Debug)]
pub struct Terminal {
    side: Option<OwnedFd>,
    shown: Arc<Shown>,
}

/// What was written so far, and whether nobody will write any more.
#[derive(Debug, Default)]
struct Shown {
    state: Mutex<(Vec<u8>, bool)>,
    changed: Condvar,
}

impl Shown {
    /// Takes everything until nobody has the terminal open, which is an error then.
    fn take(&self, mut control: File) {
        let mut piece = [0; 4096];
        loop {
            let count = control.read(&mut piece).unwrap_or_default();
            let mut state = self.state.lock().unwrap();
            state.0.extend_from_slice(&piece[..count]);
            state.1 = count == 0;
            self.changed.notify_all();
            if state.1 {
                return;
            }
        }
    }
}

impl Terminal {
    #[expect(unsafe_code, reason = "there is no other way to a pseudo-terminal")]
    pub fn open() -> Self {
        let (mut control, mut side) = (-1, -1);
        let size =
            libc::winsize { ws_col: COLUMNS as u16, ws_row: ROWS, ws_xpixel: 0, ws_ypixel: 0 };
        // SAFETY: both numbers and the size outlive the call; name and modes may be null.
        let opened = unsafe {
            libc::openpty(&raw mut control, &raw mut side, null_mut(), null(), &raw const size)
        };
        assert_eq!(opened, 0, "{}", Error::last_os_error());
        // SAFETY: the call succeeded: both are open, and nobody else has them.
        let [control, side] = [control, side].map(|fd| unsafe { OwnedFd::from_raw_fd(fd) });
        // A program of another test would keep this terminal open.
        for fd in [&control, &side] {
            // SAFETY: the descriptor is open.
            let closes = unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFD, libc::FD_CLOEXEC) };
            assert_eq!(closes, 0, "{}", Error::last_os_error());
        }
        let shown = Arc::new(Shown::default());
        let taking = Arc::clone(&shown);
        thread::spawn(move || taking.take(control.into()));
        Self { side: Some(side), shown }
    }

    /// The side that a program writes to; there is one.
    pub fn side(&mut self) -> Stdio {
        self.side.take().unwrap().into()
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.shown.state.lock().unwrap().0).into_owned()
    }

    /// Waits until this was drawn.
    pub fn read_until(&self, text: &str) {
        self.wait_for(|drawn| drawn.contains(text).then_some(()));
    }

    /// Waits until this was drawn; the whole line that it stands in. Later pictures take
    /// that line away before they draw it again, so the screen is the one of then: up to
    /// the first movement of the cursor after the text.
    pub fn line_with(&self, text: &str) -> String {
        self.wait_for(|drawn| {
            let after = drawn.find(text)? + text.len();
            let end = after + drawn[after..].find(['\r', '\n', '\u{1b}'])?;
            Screen::of(&drawn[..end]).pop()
        })
    }

    /// Waits until this is found in what was drawn.
    fn wait_for<T>(&self, find: impl Fn(&str) -> Option<T>) -> T {
        let mut state = self.shown.state.lock().unwrap();
        loop {
            let drawn = String::from_utf8_lossy(&state.0).into_owned();
            if let Some(found) = find(&drawn) {
                return found;
            }
            assert!(!state.1, "the program ended: {drawn:?}");
            state = self.shown.changed.wait(state).unwrap();
        }
    }

    /// Waits until nobody writes any more; what is on the screen then.
    pub fn read_to_end(&self) -> Vec<String> {
        let state = self.shown.state.lock().unwrap();
        drop(self.shown.changed.wait_while(state, |state| !state.1).unwrap());
        self.screen()
    }

    /// Whether the cursor stands at the beginning of a line.
    pub fn ended_its_line(&self) -> bool {
        self.shown.state.lock().unwrap().0.ends_with(b"\n")
    }

    /// Whether the cursor was not hidden, or shown again.
    pub fn shows_its_cursor(&self) -> bool {
        let text = self.text();
        text.rfind("\u{1b}[?25l") <= text.rfind("\u{1b}[?25h")
    }

    /// The lines on the screen.
    pub fn screen(&self) -> Vec<String> {
        Screen::of(&self.text())
    }
}

fn until_letter(chars: impl Iterator<Item = char>) -> String {
    let mut sequence = String::new();
    for c in chars {
        sequence.push(c);
        if c.is_ascii_alphabetic() {
            break;
        }
    }
    sequence
}

#[derive(Default)]
struct Screen {
    lines: Vec<String>,
    row: usize,
    column: usize,
}

impl Screen {
    /// The lines that are left when every movement of the cursor was followed, without
    /// empty ones.
    fn of(text: &str) -> Vec<String> {
        let mut screen = Self::default();
        let mut rest = text.chars();
        while let Some(c) = rest.next() {
            match c {
                '\r' => screen.column = 0,
                '\n' => screen.row += 1,
                '\u{1b}' => {
                    // `[`, numbers, and a letter that says what to do.
                    let sequence = until_letter(rest.by_ref().skip(1));
                    screen.obey(&sequence);
                }
                c => screen.put(c),
            }
        }
        let lines = screen.lines.into_iter().map(|line| line.trim_end().to_owned());
        lines.filter(|line| !line.is_empty()).collect()
    }

    fn line(&mut self) -> &mut String {
        let wanted = self.lines.len().max(self.row + 1);
        self.lines.resize(wanted, String::new());
        &mut self.lines[self.row]
    }

    fn put(&mut self, c: char) {
        let column = self.column;
        let mut chars: Vec<char> = self.line().chars().collect();
        chars.resize(chars.len().max(column + 1), ' ');
        chars[column] = c;
        *self.line() = chars.into_iter().collect();
        self.column += 1;
    }

    fn obey(&mut self, sequence: &str) {
        let (numbers, letter) = sequence.split_at(sequence.len() - 1);
        let number: usize = numbers.parse().unwrap_or(1);
        match letter {
            "A" => self.row = self.row.saturating_sub(number),
            "B" => self.row += number,
            "C" => self.column += number,
            "D" => self.column = self.column.saturating_sub(number),
            "K" if numbers == "2" => self.line().clear(),
            "K" => {
                let kept = self.line().clone().chars().take(self.column).collect();
                *self.line() = kept;
            }
            "J" => {
                let kept = self.line().clone().chars().take(self.column).collect();
                *self.line() = kept;
                let row = self.row;
                self.lines.truncate(row + 1);
            }
            // Colours and the cursor's looks.
            _ => {}
        }
    }
}
