//! Bytes that can be told from any others at any place, to fill long messages with.

/// The rest of a message: so many bytes were made or checked.
#[derive(Debug, Default)]
pub(crate) struct Pattern(usize);

impl Pattern {
    pub(crate) const fn len(&self) -> usize {
        self.0
    }

    fn next(&mut self) -> u8 {
        self.0 += 1;
        (self.0 % 251) as u8
    }

    /// Makes the next bytes.
    pub(crate) fn fill(&mut self, bytes: &mut [u8]) {
        bytes.fill_with(|| self.next());
    }

    /// Whether these are the next bytes.
    pub(crate) fn matches(&mut self, bytes: &[u8]) -> bool {
        bytes.iter().all(|byte| *byte == self.next())
    }
}
