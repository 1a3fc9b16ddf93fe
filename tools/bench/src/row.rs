//! The rows of the overhead table.

/// An operation whose cost is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Row {
    Spawn,
    SpawnJoin,
    Abort,
    Yield,
    Wake,
    BlockOn,
    Sleep,
    TimeoutReady,
    TimeoutPending,
    Interval,
    ChannelSpsc,
    ChannelMpsc,
    TcpConnect,
    Tcp1B,
    Tcp1K,
    Tcp64K,
    TcpVectored,
    Udp1K,
    SpawnBlocking,
    FileRead,
    FileWrite,
    JoinSet,
    Select4,
}

impl Row {
    /// In the order of the table.
    pub const ALL: [Self; 23] = [
        Self::Spawn,
        Self::SpawnJoin,
        Self::Abort,
        Self::Yield,
        Self::Wake,
        Self::BlockOn,
        Self::Sleep,
        Self::TimeoutReady,
        Self::TimeoutPending,
        Self::Interval,
        Self::ChannelSpsc,
        Self::ChannelMpsc,
        Self::TcpConnect,
        Self::Tcp1B,
        Self::Tcp1K,
        Self::Tcp64K,
        Self::TcpVectored,
        Self::Udp1K,
        Self::SpawnBlocking,
        Self::FileRead,
        Self::FileWrite,
        Self::JoinSet,
        Self::Select4,
    ];

    /// The name on the command line and in the budgets.
    pub const fn name(self) -> &'static str {
        self.about().0
    }

    /// Describes one operation.
    pub const fn title(self) -> &'static str {
        self.about().1
    }

    /// Returns the number of operations of the shorter of two runs.
    pub const fn count(self) -> usize {
        self.about().2
    }

    /// Returns how many times the operation polls a socket or a file: each poll has its own
    /// allowance.
    pub const fn polls(self) -> u32 {
        match self {
            Self::Tcp1B | Self::Tcp1K | Self::Tcp64K | Self::TcpVectored | Self::Udp1K => 4,
            Self::TcpConnect => 3,
            _ => 1,
        }
    }

    /// Returns `true` if it waits for sockets, so that the work of the reactor is part of it.
    pub const fn is_net(self) -> bool {
        matches!(
            self,
            Self::TcpConnect
                | Self::Tcp1B
                | Self::Tcp1K
                | Self::Tcp64K
                | Self::TcpVectored
                | Self::Udp1K
        )
    }

    /// Returns `true` if another thread takes part on every runtime.
    pub const fn is_shared(self) -> bool {
        matches!(self, Self::SpawnBlocking | Self::FileRead | Self::FileWrite)
    }

    const fn about(self) -> (&'static str, &'static str, usize) {
        match self {
            Self::Spawn => ("spawn", "spawn, detached", 1000),
            Self::SpawnJoin => ("spawn-join", "spawn + join", 1000),
            Self::Abort => ("abort", "spawn + abort + join", 1000),
            Self::Yield => ("yield", "yield_now", 1000),
            Self::Wake => ("wake", "wake across two tasks, there and back", 1000),
            Self::BlockOn => ("block-on", "block_on of a ready future", 1000),
            Self::Sleep => ("sleep", "sleep: created, polled, dropped", 1000),
            Self::TimeoutReady => ("timeout-ready", "timeout around a ready future", 1000),
            Self::TimeoutPending => ("timeout-pending", "timeout around a pending future", 1000),
            Self::Interval => ("interval", "interval tick that is due", 1000),
            Self::ChannelSpsc => ("channel-spsc", "channel send + receive, one task", 1000),
            Self::ChannelMpsc => ("channel-mpsc", "channel send + receive, 4 senders", 1000),
            Self::TcpConnect => ("tcp-connect", "TCP connect + accept + close", 200),
            Self::Tcp1B => ("tcp-1b", "TCP round trip of 1 B", 500),
            Self::Tcp1K => ("tcp-1k", "TCP round trip of 1 KB", 500),
            Self::Tcp64K => ("tcp-64k", "TCP round trip of 64 KB", 200),
            Self::TcpVectored => ("tcp-vectored", "TCP round trip of 4 slices, vectored", 500),
            Self::Udp1K => ("udp-1k", "UDP round trip of 1 KB", 500),
            Self::SpawnBlocking => ("spawn-blocking", "spawn_blocking + join", 300),
            Self::FileRead => ("file-read", "read 4 KB of a file", 300),
            Self::FileWrite => ("file-write", "write 4 KB to a file", 300),
            Self::JoinSet => ("join-set", "JoinSet of 1,000 tasks", 2),
            Self::Select4 => ("select-4", "select! over 3 sleeps and a yield", 1000),
        }
    }

    /// Returns the row of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|row| row.name() == name)
    }
}
