//! What is promised of stored messages: a setting, known without the store.

/// What stored messages survive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Survive {
    /// The end of the process, whatever it is.
    #[default]
    ProcessEnd,
    /// A loss of power too: the disk confirms each transaction (`fsync`), which takes it milliseconds.
    PowerLoss,
}
