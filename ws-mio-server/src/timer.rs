//! One coarse timer wheel for every deadline of a worker, pure in `now`.

use ws_proto::keepalive::Instant;

const WORDS: u64 = 8;
const SLOTS: u64 = WORDS * 64;
const TICK_MILLIS: u64 = 64;
/// So many entries of a slot lie together: one list that grows would leave as much memory behind as it takes.
const TOGETHER: usize = 128;

/// Entries that come out once their time has come, at most one tick (64 ms) late.
///
/// An entry can't be taken back: whoever takes it out checks whether it still means anything. So a
/// deadline that moves away costs nothing until the entry comes out and is put in again.
#[derive(Debug)]
pub(crate) struct Wheel<T> {
    slots: Vec<Slot<T>>,
    /// One bit a slot: whether it holds anything.
    filled: [u64; 8],
    /// The next tick to expire.
    next: u64,
    /// The first tick whose slot holds anything, or later than every other: each turn asks for it twice.
    first: u64,
}

/// Entries that come out together, some at a time.
type Slot<T> = Vec<Vec<T>>;

/// A moment in ticks, rounded up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Tick(u32);

impl Tick {
    /// Later than every other.
    pub(crate) const NEVER: Self = Self(u32::MAX);

    pub(crate) fn at(moment: Instant) -> Self {
        let ticks = moment.as_millis().div_ceil(TICK_MILLIS);
        Self(u32::try_from(ticks).unwrap_or(u32::MAX))
    }

    /// Whether it has come.
    pub(crate) fn is_due(self, now: Instant) -> bool {
        u64::from(self.0) <= now.as_millis() / TICK_MILLIS
    }
}

impl<T> Wheel<T> {
    pub(crate) fn new() -> Self {
        Self {
            slots: (0..SLOTS).map(|_| Vec::new()).collect(),
            filled: [0; 8],
            next: 0,
            first: u64::MAX,
        }
    }

    /// Puts `entry` in, to come out at `tick`, or at the wheel's horizon (32 s) if that is before;
    /// returns when it will.
    pub(crate) fn insert(&mut self, tick: Tick, entry: T) -> Tick {
        let horizon = self.next.saturating_add(SLOTS - 1);
        let tick = u64::from(tick.0).clamp(self.next, horizon);
        let slot = tick % SLOTS;
        if let Some(entries) = index(slot).and_then(|slot| self.slots.get_mut(slot)) {
            match entries.last_mut().filter(|last| last.len() < TOGETHER) {
                Some(last) => last.push(entry),
                None => entries.push(vec![entry]),
            }
            self.mark(slot, true);
            self.first = self.first.min(tick);
        }
        Tick(u32::try_from(tick).unwrap_or(u32::MAX))
    }

    /// Takes out what has come due, slot by slot: call it until `None`.
    pub(crate) fn expire(&mut self, now: Instant) -> Option<impl Iterator<Item = T> + use<T>> {
        let current = now.as_millis() / TICK_MILLIS;
        if self.first > current {
            self.next = self.next.max(current.saturating_add(1));
            return None;
        }
        self.next = self.first.saturating_add(1);
        let slot = self.first % SLOTS;
        self.mark(slot, false);
        self.first = self.next_filled().unwrap_or(u64::MAX);
        // The slot's memory goes with its entries, or each slot would keep its busiest moment's.
        let entries = index(slot).and_then(|slot| self.slots.get_mut(slot)).map(std::mem::take)?;
        Some(entries.into_iter().flatten())
    }

    /// How many entries there are, those included that mean nothing any more.
    #[cfg(feature = "_fuzzing")]
    pub(crate) fn len(&self) -> usize {
        self.slots.iter().flatten().map(Vec::len).sum()
    }

    /// When something may be due.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.first.checked_mul(TICK_MILLIS).map(Instant::from_millis)
    }

    /// The first tick, from the next one on, whose slot holds anything.
    fn next_filled(&self) -> Option<u64> {
        let (word, bit) = (self.next % SLOTS / 64, self.next % 64);
        // The first word is looked at twice: from `next` on, and at last before it.
        (0..=WORDS).find_map(|i| {
            let filled = index(word.wrapping_add(i) % WORDS).and_then(|w| self.filled.get(w))?;
            let filled = match i {
                0 => filled >> bit << bit,
                WORDS => filled & !(u64::MAX << bit),
                _ => *filled,
            };
            let first = u64::from(filled.trailing_zeros());
            let tick = self.next.saturating_sub(bit).saturating_add(i.wrapping_mul(64));
            (filled != 0).then(|| tick.saturating_add(first))
        })
    }

    fn mark(&mut self, slot: u64, filled: bool) {
        if let Some(word) = index(slot / 64).and_then(|word| self.filled.get_mut(word)) {
            let bit = 1 << (slot % 64);
            *word = if filled { *word | bit } else { *word & !bit };
        }
    }
}

/// Slots and words are few, so this is always `Some`.
fn index(n: u64) -> Option<usize> {
    usize::try_from(n).ok()
}

#[cfg(test)]
mod tests {
    use super::{Tick, Wheel};
    use ws_proto::keepalive::Instant;

    fn drain(wheel: &mut Wheel<u32>, millis: u64) -> Vec<u32> {
        let mut all = Vec::new();
        while let Some(entries) = wheel.expire(Instant::from_millis(millis)) {
            all.extend(entries);
        }
        all
    }

    #[test]
    fn entries_come_out_when_due_and_never_before() {
        let mut wheel = Wheel::new();
        let deadlines = [0, 1, 63, 64, 65, 5_000, 29_999, 32_000];
        for (i, at) in (0..).zip(deadlines) {
            wheel.insert(Tick::at(Instant::from_millis(at)), i);
        }
        let mut out = Vec::new();
        for now in 0..33_000 {
            for i in drain(&mut wheel, now) {
                let deadline = deadlines[usize::try_from(i).unwrap()];
                assert!(now >= deadline && now < deadline + 64, "{deadline} came out at {now}");
                out.push(i);
            }
        }
        assert_eq!(out.len(), deadlines.len());
        assert_eq!(wheel.deadline(), None);
    }

    #[test]
    fn beyond_the_horizon_they_come_out_early_to_be_put_in_again() {
        let mut wheel = Wheel::new();
        let tick = Tick::at(Instant::from_millis(100_000));
        wheel.insert(tick, 7);
        let mut rounds = 0;
        let now = loop {
            let now = wheel.deadline().unwrap();
            assert_eq!(drain(&mut wheel, now.as_millis()), [7]);
            if tick.is_due(now) {
                break now.as_millis();
            }
            wheel.insert(tick, 7);
            rounds += 1;
        };
        assert!((100_000..100_064).contains(&now), "{now}");
        assert_eq!(rounds, 3);
    }

    #[test]
    fn a_long_sleep_expires_everything_once() {
        let mut wheel = Wheel::new();
        for i in 0..1000 {
            wheel.insert(Tick::at(Instant::from_millis(u64::from(i) * 30)), i);
        }
        let mut out = drain(&mut wheel, 10_000_000);
        out.sort_unstable();
        assert_eq!(out, (0..1000).collect::<Vec<_>>());
        wheel.insert(Tick::at(Instant::from_millis(5)), 1);
        assert_eq!(drain(&mut wheel, 10_000_064), [1], "a deadline in the past is due at once");
    }
}
