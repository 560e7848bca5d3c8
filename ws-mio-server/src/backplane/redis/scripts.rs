//! The scripts, each of which Redis does in one step.

/// A script, and the name by which Redis knows it.
#[derive(Debug)]
pub(super) struct Script {
    pub(super) text: &'static str,
    pub(super) hash: String,
}

impl Script {
    fn new(text: &'static str) -> Self {
        Self { text, hash: redis::Script::new(text).get_hash().to_owned() }
    }
}

#[derive(Debug)]
pub(super) struct Scripts {
    pub(super) append: Script,
    pub(super) attach: Script,
    pub(super) read: Script,
    pub(super) present: Script,
    pub(super) sweep: Script,
    pub(super) renew: Script,
    pub(super) list: Script,
    pub(super) unlist: Script,
    pub(super) rooms: Script,
}

impl Default for Scripts {
    fn default() -> Self {
        Self {
            append: Script::new(include_str!("scripts/append.lua")),
            attach: Script::new(include_str!("scripts/attach.lua")),
            read: Script::new(include_str!("scripts/read.lua")),
            present: Script::new(include_str!("scripts/present.lua")),
            sweep: Script::new(include_str!("scripts/sweep.lua")),
            renew: Script::new(include_str!("scripts/renew.lua")),
            list: Script::new(include_str!("scripts/list.lua")),
            unlist: Script::new(include_str!("scripts/unlist.lua")),
            rooms: Script::new(include_str!("scripts/rooms.lua")),
        }
    }
}

impl Scripts {
    pub(super) fn all(&self) -> [&Script; 9] {
        let of_rooms = [&self.append, &self.attach, &self.read, &self.present, &self.sweep];
        let [append, attach, read, present, sweep] = of_rooms;
        let (list, unlist, rooms) = (&self.list, &self.unlist, &self.rooms);
        [append, attach, read, present, sweep, &self.renew, list, unlist, rooms]
    }
}
