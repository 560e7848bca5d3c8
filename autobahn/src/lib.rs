//! The judge of an Autobahn|Testsuite run: knows which cases the suite has, reads what `wstest`
//! reports, and compares it with the outcome that was committed for every case.
//!
//! `autobahn/run` drives it; `README.md` beside it tells how.

pub mod expectation;
pub mod judge;
pub mod report;
pub mod selection;
pub mod suite;
pub mod table;
