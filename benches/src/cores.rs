//! Processor time to the nanosecond, and who runs on which core.

use std::fs;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::Result;

/// Processor time that all threads of a process have taken so far, their own and the kernel's for them,
/// in nanoseconds.
///
/// It is exact for threads that sleep; of one that runs, what it took since the last tick is missing.
pub fn processor_time(process: u32) -> Result<u64> {
    let mut sum = 0;
    for thread in fs::read_dir(format!("/proc/{process}/task"))? {
        let text = fs::read_to_string(thread?.path().join("schedstat"))?;
        sum += text.split_whitespace().next().ok_or("no schedstat")?.parse::<u64>()?;
    }
    Ok(sum)
}

/// Where the load generator runs, and where the servers do.
#[derive(Clone, Copy, Debug)]
pub struct Cores {
    generator: CpuSet,
    servers: CpuSet,
}

impl Cores {
    /// The first core that this process may use for the generator, and the second for the servers, if
    /// there are two.
    pub fn apart() -> Result<Self> {
        let all = sched_getaffinity(None)?;
        let mut cores = (0..CpuSet::MAX_CPU).filter(|&core| all.is_set(core));
        let one = |core: Option<usize>| {
            let mut set = CpuSet::new();
            set.set(core?);
            Some(set)
        };
        let (generator, servers) = (one(cores.next()), one(cores.next()));
        Ok(Self { generator: generator.unwrap_or(all), servers: servers.unwrap_or(all) })
    }

    /// Every core for everybody.
    pub fn shared() -> Result<Self> {
        let all = sched_getaffinity(None)?;
        Ok(Self { generator: all, servers: all })
    }

    /// Starts a server where servers run, for whoever is started runs where the one who starts it does;
    /// afterwards this thread runs where the generator does.
    pub fn start<T>(&self, server: impl FnOnce() -> Result<T>) -> Result<T> {
        sched_setaffinity(None, &self.servers)?;
        let server = server();
        sched_setaffinity(None, &self.generator)?;
        server
    }
}
