//! Who is in a room.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

/// Beyond so many, members are looked up by a table.
const FEW: usize = 16;

/// The members of a room: connections, each of a person. A few take no more memory than they need.
#[derive(Debug)]
pub(super) struct Members<M> {
    seats: Vec<Seat<M>>,
    /// Where there are many.
    table: Option<Box<Table<M>>>,
}

#[derive(Debug)]
struct Seat<M> {
    member: M,
    user: Arc<str>,
}

#[derive(Debug)]
struct Table<M> {
    places: HashMap<M, usize>,
    /// How many connections each person has.
    people: HashMap<Arc<str>, usize>,
}

impl<M: Copy + Eq + Hash> Table<M> {
    fn of(seats: &[Seat<M>]) -> Self {
        let places = seats.iter().enumerate().map(|(place, seat)| (seat.member, place)).collect();
        let mut people = HashMap::<_, usize>::new();
        for seat in seats {
            let connections = people.entry(Arc::clone(&seat.user)).or_default();
            *connections = connections.saturating_add(1);
        }
        Self { places, people }
    }
}

impl<M> Default for Members<M> {
    fn default() -> Self {
        Self { seats: Vec::new(), table: None }
    }
}

impl<M: Copy + Eq + Hash> Members<M> {
    pub(super) const fn len(&self) -> usize {
        self.seats.len()
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.seats.is_empty()
    }

    /// How many persons are there.
    pub(super) fn people(&self) -> usize {
        match &self.table {
            Some(table) => table.people.len(),
            None => {
                let firsts = self.seats.iter().enumerate().filter(|(place, seat)| {
                    !self.seats.iter().take(*place).any(|before| before.user == seat.user)
                });
                firsts.count()
            }
        }
    }

    pub(super) fn contains(&self, member: M) -> bool {
        self.place(member).is_some()
    }

    /// Who a member is.
    pub(super) fn user(&self, member: M) -> Option<Arc<str>> {
        self.seats.get(self.place(member)?).map(|seat| Arc::clone(&seat.user))
    }

    /// The connections of a person.
    pub(super) fn of<'a>(&'a self, user: &'a str) -> impl Iterator<Item = M> + 'a {
        self.seats.iter().filter(move |seat| *seat.user == *user).map(|seat| seat.member)
    }

    /// All persons, with the number of their connections, in no particular order.
    pub(super) fn all(&self) -> Vec<(Arc<str>, usize)> {
        match &self.table {
            Some(table) => table.people.iter().map(|(user, n)| (Arc::clone(user), *n)).collect(),
            None => Table::of(&self.seats).people.into_iter().collect(),
        }
    }

    /// All members, with who they are.
    pub(super) fn seats(&self) -> impl Iterator<Item = (M, Arc<str>)> {
        self.seats.iter().map(|seat| (seat.member, Arc::clone(&seat.user)))
    }

    /// Some of the persons, at most so many.
    pub(super) fn names(&self, most: usize) -> Vec<Arc<str>> {
        match &self.table {
            Some(table) => table.people.keys().take(most).map(Arc::clone).collect(),
            None => {
                let mut names: Vec<_> = self.seats.iter().map(|s| Arc::clone(&s.user)).collect();
                names.sort_unstable();
                names.dedup();
                names.truncate(most);
                names
            }
        }
    }

    /// Adds a member that is not there; `true`: it is the person's first.
    pub(super) fn add(&mut self, member: M, user: Arc<str>) -> bool {
        let is_first = !self.has(&user);
        if let Some(table) = &mut self.table {
            table.places.insert(member, self.seats.len());
            let connections = table.people.entry(Arc::clone(&user)).or_default();
            *connections = connections.saturating_add(1);
        }
        if self.seats.is_empty() {
            self.seats.reserve_exact(1);
        }
        self.seats.push(Seat { member, user });
        if self.table.is_none() && self.seats.len() > FEW {
            self.table = Some(Box::new(Table::of(&self.seats)));
        }
        is_first
    }

    /// Removes a member: who it was, and whether it was the person's last.
    pub(super) fn remove(&mut self, member: M) -> Option<(Arc<str>, bool)> {
        let place = self.place(member).filter(|place| *place < self.seats.len())?;
        let Seat { user, .. } = self.seats.swap_remove(place);
        if let Some(table) = &mut self.table {
            table.places.remove(&member);
            if let Some(moved) = self.seats.get(place) {
                table.places.insert(moved.member, place);
            }
            if let Some(connections) = table.people.get_mut(&user) {
                *connections = connections.saturating_sub(1);
                if *connections == 0 {
                    table.people.remove(&user);
                }
            }
        }
        // Not as soon as there are few: a member that comes and goes would build it again each time.
        if self.seats.len() < FEW / 2 && self.table.take().is_some() {
            self.seats.shrink_to_fit();
        }
        let is_last = !self.has(&user);
        Some((user, is_last))
    }

    fn has(&self, user: &str) -> bool {
        match &self.table {
            Some(table) => table.people.contains_key(user),
            None => self.of(user).next().is_some(),
        }
    }

    fn place(&self, member: M) -> Option<usize> {
        match &self.table {
            Some(table) => table.places.get(&member).copied(),
            None => self.seats.iter().position(|seat| seat.member == member),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{FEW, Members};
    use proptest::prelude::*;
    use std::collections::{BTreeMap, BTreeSet};

    proptest! {
        #[test]
        fn it_is_as_if_there_were_a_list(steps in prop::collection::vec((0..40u8, 0..6u8), 1..300)) {
            let mut members = Members::default();
            let mut model = BTreeMap::<u8, String>::new();
            for (member, user) in steps {
                let user: String = format!("user {user}");
                let before = model.values().filter(|known| **known == user).count();
                if let Some(user) = model.remove(&member) {
                    let last = !model.values().any(|known| *known == user);
                    prop_assert_eq!(members.remove(member), Some((user.as_str().into(), last)));
                    prop_assert_eq!(members.remove(member), None);
                } else {
                    prop_assert!(!members.contains(member));
                    prop_assert_eq!(members.add(member, user.as_str().into()), before == 0);
                    model.insert(member, user.clone());
                }
                let people: BTreeSet<_> = model.values().collect();
                prop_assert_eq!(members.len(), model.len());
                prop_assert_eq!(members.people(), people.len());
                let of: BTreeSet<_> = members.of(&user).collect();
                let due = model.iter().filter(|(_, known)| **known == user).map(|(m, _)| *m);
                prop_assert_eq!(of, due.collect());
                let total: usize = members.all().iter().map(|(_, n)| n).sum();
                prop_assert_eq!(total, model.len());
                prop_assert!(members.table.is_some() || members.len() <= FEW);
            }
        }
    }
}
