//! Which cases a run asks for: `--sections 1,2,12.1`.

use std::str::FromStr;

use crate::suite::{self, CaseId};

/// A part of the suite: sections (`9`), groups (`12.1`) and single cases (`6.4.2`), or all of it.
#[derive(Debug)]
pub struct Selection(Vec<Part>);

#[derive(Debug)]
struct Part {
    /// The first numbers of the ids that belong to it; empty for all of them.
    prefix: Vec<u16>,
    /// What it was called.
    text: String,
}

impl Part {
    fn contains(&self, case: CaseId) -> bool {
        let numbers: Vec<u16> = case.numbers().collect();
        numbers.starts_with(&self.prefix)
    }

    /// The pattern that makes `wstest` choose the same cases. A star there stands for any characters,
    /// so `2.1*` would also choose 2.10: it may only follow a dot.
    fn pattern(&self) -> String {
        if self.prefix.is_empty() {
            "*".to_owned()
        } else if self.text.parse::<CaseId>().is_ok() {
            self.text.clone()
        } else {
            format!("{}.*", self.text)
        }
    }
}

impl Selection {
    /// The cases of the suite that belong to the selection, in the suite's order.
    pub fn cases(&self) -> impl Iterator<Item = CaseId> {
        suite::cases().filter(|&case| self.contains(case))
    }

    /// Whether a case belongs to the selection.
    pub fn contains(&self, case: CaseId) -> bool {
        self.0.iter().any(|part| part.contains(case))
    }

    /// The `cases` of a `wstest` specification that choose the same.
    pub fn patterns(&self) -> Vec<String> {
        self.0.iter().map(Part::pattern).collect()
    }
}

impl FromStr for Selection {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.split(',').map(part).collect::<Result<_, _>>().map(Self)
    }
}

fn part(text: &str) -> Result<Part, String> {
    if text == "all" {
        return Ok(Part { prefix: Vec::new(), text: text.to_owned() });
    }
    let unknown = || {
        let sections: Vec<_> = suite::SECTIONS.iter().map(|(id, _)| id.to_string()).collect();
        format!(
            "`{text}` is no part of {}; give `all`, sections ({}), groups (12.1) or cases (6.4.2), \
             separated by commas",
            suite::NAME,
            sections.join(" ")
        )
    };
    let prefix = text.split('.').map(str::parse).collect::<Result<Vec<u16>, _>>();
    let part = Part { prefix: prefix.map_err(|_| unknown())?, text: text.to_owned() };
    // The text goes into the patterns as it is, so only the suite's own spelling will do.
    let spelled: Vec<_> = part.prefix.iter().map(u16::to_string).collect();
    if spelled.join(".") == text && suite::cases().any(|case| part.contains(case)) {
        Ok(part)
    } else {
        Err(unknown())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn select(text: &str) -> Selection {
        text.parse().unwrap()
    }

    #[test]
    fn a_section_is_not_a_prefix_of_letters() {
        assert_eq!(select("1").cases().count(), 16);
        assert_eq!(select("7.1").cases().count(), 6);
        assert_eq!(select("2.1").cases().count(), 1);
    }

    #[test]
    fn sections_groups_and_cases_add_up_and_overlap() {
        assert_eq!(select("1,2,3,4,5,6,7,9,10").cases().count(), 301);
        assert_eq!(select("all").cases().count(), 517);
        assert_eq!(select("10,12.1,6.4.2").cases().count(), 20);
        assert_eq!(select("6,6.4,6.4.2").cases().count(), 145);
    }

    #[test]
    fn patterns_choose_the_same_cases() {
        assert_eq!(select("1,2.1,12.1,6.4.2").patterns(), ["1.*", "2.1", "12.1.*", "6.4.2"]);
        assert_eq!(select("all").patterns(), ["*"]);
    }

    #[test]
    fn refuses_what_chooses_nothing() {
        for text in
            ["", "8", "11", "1,", "1,,2", "7.2", "2.12", "six", "1-7", " 1", "01", "+1", "6.04"]
        {
            let error = text.parse::<Selection>().unwrap_err();
            assert!(error.contains("is no part of"), "{text}: {error}");
        }
    }
}
