//! Who is in one room.

use std::collections::HashMap;
use std::sync::Arc;

/// Who is in a room: users, with the nodes that they are on and how many connections each has there.
#[derive(Debug, Default)]
pub(super) struct View(HashMap<Arc<str>, Vec<(Arc<str>, u32)>>);

/// What a change has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Came,
    Went,
    None,
}

impl View {
    pub(super) fn get(&self, user: &str, node: &str) -> u32 {
        let nodes = self.0.get(user).map_or(&[][..], Vec::as_slice);
        nodes.iter().find(|(known, _)| **known == *node).map_or(0, |(_, connections)| *connections)
    }

    pub(super) fn set(&mut self, user: &Arc<str>, node: &Arc<str>, connections: u32) -> Change {
        if connections == 0 {
            let Some(nodes) = self.0.get_mut(user) else { return Change::None };
            nodes.retain(|(known, _)| known != node);
            if !nodes.is_empty() {
                return Change::None;
            }
            self.0.remove(user);
            return Change::Went;
        }
        match self.0.get_mut(user) {
            Some(nodes) => {
                match nodes.iter_mut().find(|(known, _)| known == node) {
                    Some((_, known)) => *known = connections,
                    None => nodes.push((Arc::clone(node), connections)),
                }
                Change::None
            }
            None => {
                self.0.insert(Arc::clone(user), vec![(Arc::clone(node), connections)]);
                Change::Came
            }
        }
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// All who are there on some node.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&Arc<str>, &Arc<str>, u32)> {
        self.0.iter().flat_map(|(user, nodes)| nodes.iter().map(move |(n, c)| (user, n, *c)))
    }

    /// The users, in no particular order.
    pub(super) fn users(&self) -> impl Iterator<Item = &Arc<str>> {
        self.0.keys()
    }

    pub(super) fn people(&self) -> Vec<(Arc<str>, usize)> {
        let sum = |nodes: &[(Arc<str>, u32)]| {
            let each = nodes.iter().map(|(_, n)| usize::try_from(*n).unwrap_or(usize::MAX));
            each.fold(0, usize::saturating_add)
        };
        self.0.iter().map(|(user, nodes)| (Arc::clone(user), sum(nodes))).collect()
    }
}
