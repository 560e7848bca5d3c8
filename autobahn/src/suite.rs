//! What Autobahn|Testsuite 25.10.1 consists of: the ids of its 517 cases, and how its sections are
//! called. Written down here, so that a report that lost cases can't define what is complete.

use std::fmt;
use std::num::ParseIntError;
use std::str::FromStr;

/// The suite that the groups below were enumerated from; every expectation names it too.
pub const NAME: &str = "autobahntestsuite 25.10.1";

/// The section's number and its name, in the order of the suite. There is no 8 and no 11.
pub const SECTIONS: [(u16, &str); 11] = [
    (1, "Framing"),
    (2, "Pings and pongs"),
    (3, "Reserved bits"),
    (4, "Opcodes"),
    (5, "Fragmentation"),
    (6, "UTF-8 handling"),
    (7, "Close handling"),
    (9, "Limits and performance"),
    (10, "Auto-fragmentation"),
    (12, "Compression, payloads"),
    (13, "Compression, parameters"),
];

/// `(section, group, count)`: the cases `section.group.1` to `section.group.count`. Group 0 stands for
/// a section without groups, whose ids have two numbers.
const GROUPS: [(u16, u16, u16); 57] = [
    (1, 1, 8),
    (1, 2, 8),
    (2, 0, 11),
    (3, 0, 7),
    (4, 1, 5),
    (4, 2, 5),
    (5, 0, 20),
    (6, 1, 3),
    (6, 2, 4),
    (6, 3, 2),
    (6, 4, 4),
    (6, 5, 5),
    (6, 6, 11),
    (6, 7, 4),
    (6, 8, 2),
    (6, 9, 4),
    (6, 10, 3),
    (6, 11, 5),
    (6, 12, 8),
    (6, 13, 5),
    (6, 14, 10),
    (6, 15, 1),
    (6, 16, 3),
    (6, 17, 5),
    (6, 18, 5),
    (6, 19, 5),
    (6, 20, 7),
    (6, 21, 8),
    (6, 22, 34),
    (6, 23, 7),
    (7, 1, 6),
    (7, 3, 6),
    (7, 5, 1),
    (7, 7, 13),
    (7, 9, 9),
    (7, 13, 2),
    (9, 1, 6),
    (9, 2, 6),
    (9, 3, 9),
    (9, 4, 9),
    (9, 5, 6),
    (9, 6, 6),
    (9, 7, 6),
    (9, 8, 6),
    (10, 1, 1),
    (12, 1, 18),
    (12, 2, 18),
    (12, 3, 18),
    (12, 4, 18),
    (12, 5, 18),
    (13, 1, 18),
    (13, 2, 18),
    (13, 3, 18),
    (13, 4, 18),
    (13, 5, 18),
    (13, 6, 18),
    (13, 7, 18),
];

/// The id of one case, such as `6.4.2` or `2.10`; ordered as the suite runs them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CaseId {
    section: u16,
    /// 0 in a section without groups.
    group: u16,
    number: u16,
}

impl CaseId {
    /// The section, which is the id's first number.
    pub fn section(self) -> u16 {
        self.section
    }

    /// The numbers of the id: two, or three in a section with groups.
    pub fn numbers(self) -> impl Iterator<Item = u16> {
        let group = (self.group != 0).then_some(self.group);
        [Some(self.section), group, Some(self.number)].into_iter().flatten()
    }
}

/// Every case of the suite, in its order.
pub fn cases() -> impl Iterator<Item = CaseId> {
    GROUPS.into_iter().flat_map(|(section, group, count)| {
        (1..=count).map(move |number| CaseId { section, group, number })
    })
}

impl fmt::Display for CaseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.group {
            0 => write!(f, "{}.{}", self.section, self.number),
            group => write!(f, "{}.{group}.{}", self.section, self.number),
        }
    }
}

impl FromStr for CaseId {
    type Err = String;

    /// Reads the id of a case that the suite has; any other is an error.
    fn from_str(text: &str) -> Result<Self, String> {
        let numbers: Result<Vec<u16>, ParseIntError> = text.split('.').map(str::parse).collect();
        let id = match numbers.as_deref() {
            Ok(&[section, number]) => Self { section, group: 0, number },
            Ok(&[section, group, number]) => Self { section, group, number },
            _ => return Err(format!("`{text}` is no case id; one looks like 6.4.2 or 2.10")),
        };
        // The text is compared too, so that `06.4.2` or `2.0.10` isn't a second name for a case.
        if cases().any(|case| case == id) && id.to_string() == text {
            Ok(id)
        } else {
            Err(format!("{NAME} has no case `{text}`"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn has_the_cases_that_the_suite_has() {
        let count = |section| cases().filter(|case| case.section() == section).count();
        let counts: Vec<_> = SECTIONS.iter().map(|&(section, _)| count(section)).collect();
        assert_eq!(counts, [16, 11, 7, 10, 20, 145, 37, 54, 1, 90, 126]);
        assert_eq!(cases().collect::<BTreeSet<_>>().len(), 517);
    }

    #[test]
    fn cases_come_in_the_order_of_their_numbers() {
        assert!(cases().is_sorted());
        assert!("2.9".parse::<CaseId>().unwrap() < "2.10".parse().unwrap());
    }

    #[test]
    fn every_id_reads_back_as_itself() {
        for case in cases() {
            assert_eq!(case.to_string().parse(), Ok(case));
        }
    }

    #[test]
    fn refuses_ids_that_the_suite_does_not_have() {
        for text in ["", "2", "2.12", "2.0", "2.0.1", "6.4.5", "06.4.1", "6.4.1.1", "8.1", "6.4.x"]
        {
            assert!(text.parse::<CaseId>().is_err(), "{text}");
        }
    }
}
