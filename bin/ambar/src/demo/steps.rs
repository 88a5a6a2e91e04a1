//! Progress of the demo on standard error: what is done, how long it took.

use crate::paint::Paint;
use std::time::Instant;

/// Width of a step's name, characters.
const NAME_CHARS: usize = 44;

/// The steps so far.
#[derive(Debug)]
pub struct Steps {
    paint: Paint,
    began: Instant,
    step: Instant,
    name: String,
}

impl Steps {
    /// No step yet.
    pub fn new() -> Self {
        let now = Instant::now();
        Self { paint: Paint::stderr(), began: now, step: now, name: String::new() }
    }

    /// A step begins.
    pub fn begin(&mut self, name: &str) {
        name.clone_into(&mut self.name);
        self.step = Instant::now();
    }

    /// The step is done; what came of it.
    pub fn done(&mut self, result: &str) {
        let (took, since) = (self.step.elapsed().as_secs_f64(), self.began.elapsed().as_secs_f64());
        let time = self.paint.dim(&format!("{since:6.1} s {took:+6.1} s"));
        eprintln!("{time}  {:<NAME_CHARS$}  {}", self.name, self.paint.bold(result));
    }

    /// Something to know within a step.
    pub fn note(&self, text: &str) {
        eprintln!("{text}");
    }
}
