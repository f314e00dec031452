//! Who the person is, as the system says: login name and groups of this process.
//!
//! The numbers come from the kernel. Their names come from `/etc/passwd` and `/etc/group` first, which costs nothing;
//! for numbers that are not there the system's own tools are asked, because accounts of a directory (LDAP, SSSD, Open
//! Directory) are visible to a statically linked program only through them: `getent`, or `id` where there is no
//! `getent` (macOS). Environment variables such as `USER` are not looked at: they survive `su` and say who somebody
//! was.

use std::collections::BTreeMap;
use std::io::Read;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use rustix::process::{getegid, getgroups, getuid};

/// How long a directory service may take before the person is known by numbers only.
const LIMIT: Duration = Duration::from_secs(3);

/// What the system says of the person.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Person {
    /// The login name; the number where nobody knows a name.
    pub user: String,
    /// The names of the process's groups, effective one first. Groups without a name are left out: no task can name
    /// them.
    pub groups: Vec<String>,
}

/// Asks the system. Blocking, at most a few seconds where a directory service does not answer.
pub fn person() -> Person {
    let uid = getuid().as_raw();
    let mut gids = vec![getegid().as_raw()];
    gids.extend(getgroups().unwrap_or_default().into_iter().map(|gid| gid.as_raw()));
    let passwd = std::fs::read("/etc/passwd").map(|bytes| names(&bytes)).unwrap_or_default();
    let group = std::fs::read("/etc/group").map(|bytes| names(&bytes)).unwrap_or_default();
    look_up(uid, &gids, passwd, group, &System)
}

/// The system's tools, apart for the tests.
trait Directory {
    /// The output of a command that ended well in time.
    fn ask(&self, program: &str, arguments: &[String]) -> Option<Vec<u8>>;
}

fn look_up(
    uid: u32,
    gids: &[u32],
    mut passwd: BTreeMap<u32, String>,
    mut group: BTreeMap<u32, String>,
    directory: &dyn Directory,
) -> Person {
    if !passwd.contains_key(&uid) {
        let arguments = ["passwd".to_owned(), uid.to_string()];
        passwd.append(&mut directory.ask("getent", &arguments).map(|bytes| names(&bytes)).unwrap_or_default());
    }
    let missing: Vec<u32> = gids.iter().copied().filter(|gid| !group.contains_key(gid)).collect();
    if !missing.is_empty() {
        let mut arguments = vec!["group".to_owned()];
        arguments.extend(missing.iter().map(u32::to_string));
        group.append(&mut directory.ask("getent", &arguments).map(|bytes| names(&bytes)).unwrap_or_default());
    }
    let words = |bytes: Vec<u8>| -> Vec<String> {
        String::from_utf8_lossy(&bytes).split_whitespace().map(str::to_owned).collect()
    };
    let user = passwd.remove(&uid).or_else(|| {
        let name = directory.ask("id", &["-un".to_owned()]).map(words)?.into_iter().next()?;
        (!name.is_empty()).then_some(name)
    });
    let mut groups: Vec<String> = gids.iter().filter_map(|gid| group.get(gid).cloned()).collect();
    if gids.iter().any(|gid| !group.contains_key(gid)) {
        // A number in the answer is a group whose name nobody knows.
        let named = directory.ask("id", &["-Gn".to_owned()]).map(words).unwrap_or_default();
        groups.extend(named.into_iter().filter(|name| name.parse::<u32>().is_err()));
    }
    let mut seen = std::collections::BTreeSet::new();
    groups.retain(|name| seen.insert(name.clone()));
    Person { user: user.unwrap_or_else(|| uid.to_string()), groups }
}

/// Number to name from lines of `name:password:number:...`, as both files and `getent` write them. The first of
/// several names of a number wins, as it does for the system.
fn names(bytes: &[u8]) -> BTreeMap<u32, String> {
    let mut found = BTreeMap::new();
    for line in String::from_utf8_lossy(bytes).lines() {
        let mut parts = line.split(':');
        if let (Some(name), Some(_), Some(Ok(number))) = (parts.next(), parts.next(), parts.next().map(str::parse))
            && !name.is_empty()
            && !name.starts_with(['#', '+', '-'])
        {
            found.entry(number).or_insert_with(|| name.to_owned());
        }
    }
    found
}

struct System;

impl Directory for System {
    fn ask(&self, program: &str, arguments: &[String]) -> Option<Vec<u8>> {
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let mut output = child.stdout.take()?;
        let (send, receive) = mpsc::channel();
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            if output.read_to_end(&mut bytes).is_ok() {
                // Nobody listens any more when it took too long.
                let _ = send.send(bytes);
            }
        });
        let answer = receive.recv_timeout(LIMIT).ok();
        if answer.is_none() {
            let _ = child.kill();
        }
        // Its exit code says only that some of the numbers are unknown.
        let _ = child.wait();
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers from a table of command lines.
    struct Table(&'static [(&'static str, &'static str)]);

    impl Directory for Table {
        fn ask(&self, program: &str, arguments: &[String]) -> Option<Vec<u8>> {
            let line = format!("{program} {}", arguments.join(" "));
            self.0.iter().find(|(asked, _)| *asked == line).map(|(_, answer)| answer.as_bytes().to_vec())
        }
    }

    fn files() -> (BTreeMap<u32, String>, BTreeMap<u32, String>) {
        (
            names(b"root:x:0:0:root:/root:/bin/sh\namy:x:1000:1000::/home/amy:/bin/sh\nbroken\n"),
            names(b"root:x:0:\n+nis:x:7:\namy:x:1000:\nfinance:x:2000:amy,bob\nalias:x:2000:\n#c:x:8:\n"),
        )
    }

    fn groups(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn files_alone_suffice() {
        let (passwd, group) = files();
        let found = look_up(1000, &[1000, 2000, 1000], passwd, group, &Table(&[]));
        assert_eq!(found, Person { user: "amy".to_owned(), groups: groups(&["amy", "finance"]) });
    }

    #[test]
    fn a_directory_knows_the_rest() {
        let (passwd, group) = files();
        let table = Table(&[
            ("getent passwd 70001", "zoe:*:70001:70001:Zoe:/home/zoe:/bin/sh\n"),
            ("getent group 70001 70002", "domain users:*:70001:\napprovers:*:70002:zoe\n"),
        ]);
        let found = look_up(70001, &[70001, 2000, 70002], passwd, group, &table);
        assert_eq!(found, Person { user: "zoe".to_owned(), groups: groups(&["domain users", "finance", "approvers"]) });
    }

    #[test]
    fn without_getent_id_is_asked() {
        let (passwd, group) = files();
        let table = Table(&[("id -un", "kim\n"), ("id -Gn", "finance staff 7777\n")]);
        let found = look_up(501, &[2000, 20, 7777], passwd, group, &table);
        assert_eq!(found, Person { user: "kim".to_owned(), groups: groups(&["finance", "staff"]) });
    }

    #[test]
    fn nobody_knows() {
        let found = look_up(4711, &[4711], BTreeMap::new(), BTreeMap::new(), &Table(&[]));
        assert_eq!(found, Person { user: "4711".to_owned(), groups: Vec::new() });
    }

    #[test]
    fn this_very_process_has_a_name() {
        assert!(!person().user.is_empty());
    }
}
