//! The commands.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use crate::glob;
use crate::resp::{Reply, number};
use crate::shared::{MAX_CLIENTS, Shared};
use crate::store::{Condition, Expiry, StoreError, TimeToLive};

/// Runs one request of a client without subscriptions.
pub fn run(shared: &Shared, name: &[u8], arguments: &[Bytes]) -> Reply {
    let Some(command) = find(name) else {
        return Reply::Error(unknown(name, arguments));
    };
    if !command.takes(arguments.len()) {
        return wrong_arity(command.name);
    }
    (command.run)(shared, arguments).unwrap_or_else(|error| Reply::Error(error.to_string()))
}

/// Returns the reply to a command with too few or too many arguments.
pub fn wrong_arity(name: &str) -> Reply {
    Reply::Error(format!(
        "ERR wrong number of arguments for '{name}' command"
    ))
}

/// The error of a command, displayed in the format of the reply.
#[derive(Debug, PartialEq, Eq)]
enum Error {
    Syntax,
    NotAnInteger,
    Overflow,
    TooLong,
    InvalidExpiry(&'static str),
    Arity(&'static str),
    NoSuchDatabase,
    UnknownSubcommand(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ERR ")?;
        match self {
            Self::Syntax => f.write_str("syntax error"),
            Self::NotAnInteger => f.write_str("value is not an integer or out of range"),
            Self::Overflow => f.write_str("increment or decrement would overflow"),
            Self::TooLong => f.write_str("string exceeds maximum allowed size (512MB)"),
            Self::InvalidExpiry(command) => write!(f, "invalid expire time in '{command}' command"),
            Self::Arity(name) => write!(f, "wrong number of arguments for '{name}' command"),
            Self::NoSuchDatabase => f.write_str("DB index is out of range"),
            Self::UnknownSubcommand(name) => write!(f, "unknown subcommand '{name}'"),
        }
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotAnInteger => Self::NotAnInteger,
            StoreError::Overflow => Self::Overflow,
            StoreError::TooLong => Self::TooLong,
        }
    }
}

type Result<T = Reply> = std::result::Result<T, Error>;

struct Command {
    name: &'static str,
    /// The minimum and maximum number of arguments.
    arity: (usize, usize),
    run: fn(&Shared, &[Bytes]) -> Result,
}

const ANY: usize = usize::MAX;

impl Command {
    fn takes(&self, arguments: usize) -> bool {
        (self.arity.0..=self.arity.1).contains(&arguments)
    }

    /// The number as in Redis: including the name, and negative if more are allowed.
    fn redis_arity(&self) -> i64 {
        let least = self.arity.0 as i64 + 1;
        if self.arity.0 == self.arity.1 {
            least
        } else {
            -least
        }
    }
}

const fn command(
    name: &'static str,
    least: usize,
    most: usize,
    run: fn(&Shared, &[Bytes]) -> Result,
) -> Command {
    let arity = (least, most);
    Command { name, arity, run }
}

/// All commands except those for subscriptions, which belong to the connection.
static COMMANDS: [Command; 27] = [
    command("get", 1, 1, get),
    command("set", 2, ANY, set),
    command("incr", 1, 1, |shared, args| add(shared, &args[0], 1)),
    command("ping", 0, 1, ping),
    command("decr", 1, 1, |shared, args| add(shared, &args[0], -1)),
    command("incrby", 2, 2, |shared, args| {
        add(shared, &args[0], integer(&args[1])?)
    }),
    command("decrby", 2, 2, |shared, args| {
        let amount = integer(&args[1])?.checked_neg().ok_or(Error::Overflow)?;
        add(shared, &args[0], amount)
    }),
    command("mget", 1, ANY, mget),
    command("mset", 2, ANY, mset),
    command("append", 2, 2, |shared, args| {
        Ok(Reply::Integer(
            shared.store.append(&args[0], &args[1])? as i64
        ))
    }),
    command("strlen", 1, 1, |shared, args| {
        let value = shared.store.get(&args[0]).unwrap_or_default();
        Ok(Reply::Integer(value.len() as i64))
    }),
    command("del", 1, ANY, |shared, args| {
        Ok(Reply::Integer(shared.store.remove(args) as i64))
    }),
    command("exists", 1, ANY, |shared, args| {
        Ok(Reply::Integer(shared.store.count(args) as i64))
    }),
    command("expire", 2, 2, |shared, args| {
        expire(shared, args, "expire", 1000)
    }),
    command("pexpire", 2, 2, |shared, args| {
        expire(shared, args, "pexpire", 1)
    }),
    command("ttl", 1, 1, |shared, args| {
        Ok(time_to_live(shared, &args[0], 1000))
    }),
    command("pttl", 1, 1, |shared, args| {
        Ok(time_to_live(shared, &args[0], 1))
    }),
    command("persist", 1, 1, persist),
    command("publish", 2, 2, |shared, args| {
        Ok(Reply::Integer(shared.hub.publish(&args[0], &args[1]) as i64))
    }),
    command("echo", 1, 1, |_, args| Ok(Reply::Bulk(args[0].clone()))),
    command("select", 1, 1, |_, args| match integer(&args[0])? {
        0 => Ok(Reply::OK),
        _ => Err(Error::NoSuchDatabase),
    }),
    command("dbsize", 0, 0, |shared, _| {
        Ok(Reply::Integer(shared.store.len() as i64))
    }),
    command("flushall", 0, 1, flush),
    command("flushdb", 0, 1, flush),
    command("info", 0, ANY, |shared, _| {
        Ok(Reply::Bulk(info(shared).into()))
    }),
    command("config", 1, ANY, config),
    command("command", 0, ANY, describe),
];

fn find(name: &[u8]) -> Option<&'static Command> {
    COMMANDS
        .iter()
        .find(|known| name.eq_ignore_ascii_case(known.name.as_bytes()))
}

/// Long names and arguments are truncated, because the client knows them.
fn unknown(name: &[u8], arguments: &[Bytes]) -> String {
    let short = |text: &[u8]| text[..text.len().min(128)].escape_ascii().to_string();
    let mut message = format!(
        "ERR unknown command '{}', with args beginning with:",
        short(name)
    );
    for argument in arguments.iter().take(3) {
        message += &format!(" '{}'", short(argument));
    }
    message
}

fn integer(text: &[u8]) -> Result<i64> {
    number(text).ok_or(Error::NotAnInteger)
}

fn optional(value: Option<Bytes>) -> Reply {
    value.map_or(Reply::Null, Reply::Bulk)
}

fn ping(_: &Shared, args: &[Bytes]) -> Result {
    Ok(match args.first() {
        Some(text) => Reply::Bulk(text.clone()),
        None => Reply::Simple("PONG"),
    })
}

fn get(shared: &Shared, args: &[Bytes]) -> Result {
    Ok(optional(shared.store.get(&args[0])))
}

fn set(shared: &Shared, args: &[Bytes]) -> Result {
    let mut expiry = None;
    let mut condition = Condition::Always;
    let mut options = args[2..].iter();
    while let Some(option) = options.next() {
        let unit = match option.to_ascii_uppercase().as_slice() {
            b"NX" if condition != Condition::IfPresent => {
                condition = Condition::IfMissing;
                continue;
            }
            b"XX" if condition != Condition::IfMissing => {
                condition = Condition::IfPresent;
                continue;
            }
            b"KEEPTTL" if expiry.is_none() => {
                expiry = Some(Expiry::Keep);
                continue;
            }
            b"EX" if expiry.is_none() => 1000,
            b"PX" if expiry.is_none() => 1,
            _ => return Err(Error::Syntax),
        };
        let time = integer(options.next().ok_or(Error::Syntax)?)?;
        if time <= 0 {
            return Err(Error::InvalidExpiry("set"));
        }
        expiry = Some(Expiry::At(deadline(time, unit, "set")?));
    }
    let expiry = expiry.unwrap_or(Expiry::Never);
    Ok(
        match shared.store.set(&args[0], &args[1], expiry, condition) {
            true => Reply::OK,
            false => Reply::Null,
        },
    )
}

fn add(shared: &Shared, key: &[u8], amount: i64) -> Result {
    Ok(Reply::Integer(shared.store.add(key, amount)?))
}

fn mget(shared: &Shared, args: &[Bytes]) -> Result {
    let values = shared.store.get_all(args);
    Ok(Reply::Array(values.into_iter().map(optional).collect()))
}

fn mset(shared: &Shared, args: &[Bytes]) -> Result {
    if args.len() % 2 == 1 {
        return Err(Error::Arity("mset"));
    }
    shared.store.set_all(args);
    Ok(Reply::OK)
}

fn expire(shared: &Shared, args: &[Bytes], name: &'static str, unit: i64) -> Result {
    let deadline = deadline(integer(&args[1])?, unit, name)?;
    Ok(Reply::Integer(
        shared.store.expire(&args[0], Some(deadline)).into(),
    ))
}

fn persist(shared: &Shared, args: &[Bytes]) -> Result {
    let expires = matches!(shared.store.time_to_live(&args[0]), TimeToLive::For(_));
    Ok(Reply::Integer(
        (expires && shared.store.expire(&args[0], None)).into(),
    ))
}

/// Returns the time in `amount` units of that many milliseconds. A time in the past counts as now.
fn deadline(amount: i64, unit: i64, command: &'static str) -> Result<Instant> {
    let millis = amount
        .checked_mul(unit)
        .ok_or(Error::InvalidExpiry(command))?;
    let duration = Duration::from_millis(u64::try_from(millis).unwrap_or(0));
    Instant::now()
        .checked_add(duration)
        .ok_or(Error::InvalidExpiry(command))
}

/// Converts to units of that many milliseconds, rounded.
fn time_to_live(shared: &Shared, key: &[u8], unit: u128) -> Reply {
    Reply::Integer(match shared.store.time_to_live(key) {
        TimeToLive::NoKey => -2,
        TimeToLive::Forever => -1,
        TimeToLive::For(left) => {
            i64::try_from((left.as_millis() + unit / 2) / unit).unwrap_or(i64::MAX)
        }
    })
}

fn flush(shared: &Shared, _: &[Bytes]) -> Result {
    shared.store.clear();
    Ok(Reply::OK)
}

fn info(shared: &Shared) -> String {
    format!(
        "# Server\r\nredis_version:7.0.0\r\nredis_mode:standalone\r\nprocess_id:{}\r\nuptime_in_seconds:{}\r\n\
         \r\n# Clients\r\nconnected_clients:{}\r\nmaxclients:{MAX_CLIENTS}\r\n\
         \r\n# Keyspace\r\ndb0:keys={}\r\n",
        std::process::id(),
        shared.started.elapsed().as_secs(),
        shared.clients(),
        shared.store.len(),
    )
}

/// The description of the commands, which clients request when they start.
const SETTINGS: [(&str, &str); 3] = [("save", ""), ("appendonly", "no"), ("databases", "1")];

fn config(_: &Shared, args: &[Bytes]) -> Result {
    let [subcommand, patterns @ ..] = args else {
        return Err(Error::Arity("config"));
    };
    if !subcommand.eq_ignore_ascii_case(b"GET") {
        return Err(unknown_subcommand(subcommand));
    }
    let wanted = |name: &str| {
        let matches =
            |pattern: &Bytes| glob::matches(&pattern.to_ascii_lowercase(), name.as_bytes());
        patterns.iter().any(matches)
    };
    let settings = SETTINGS.iter().filter(|(name, _)| wanted(name));
    let replies = settings.flat_map(|&(name, value)| [Reply::bulk(name), Reply::bulk(value)]);
    Ok(Reply::Array(replies.collect()))
}

fn describe(_: &Shared, args: &[Bytes]) -> Result {
    match args.first() {
        None => {
            let one = |known: &Command| {
                let arity = Reply::Integer(known.redis_arity());
                Reply::Array(vec![Reply::bulk(known.name), arity])
            };
            Ok(Reply::Array(COMMANDS.iter().map(one).collect()))
        }
        Some(count) if count.eq_ignore_ascii_case(b"COUNT") => {
            Ok(Reply::Integer(COMMANDS.len() as i64))
        }
        Some(docs) if docs.eq_ignore_ascii_case(b"DOCS") => Ok(Reply::Array(Vec::new())),
        Some(other) => Err(unknown_subcommand(other)),
    }
}

fn unknown_subcommand(name: &[u8]) -> Error {
    Error::UnknownSubcommand(name[..name.len().min(128)].escape_ascii().to_string())
}
