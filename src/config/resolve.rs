//! The layers put together: pure, but for [`Sources::read`].

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::own::{self, Own};
use super::{Config, ConfigError, Flags, LogFormat, Origin, Paths, Person, Setting, Target, properties};

const HOST: &str = "LHC_API_HOST";
const PORT: &str = "LHC_API_PORT";
const PROTOCOL: &str = "LHC_API_PROTOCOL";
const TENANT: &str = "LHC_TENANT_ID";

/// Settings that ask for something not built yet, and what it is. Of these only the names are ever kept.
const SECURITY: &[(&str, &str)] = &[
    ("LHC_CA_CERT", "TLS"),
    ("LHC_CLIENT_CERT", "a client certificate"),
    ("LHC_CLIENT_KEY", "a client certificate"),
    ("LHC_OAUTH_CLIENT_ID", "a sign-in by OAuth"),
    ("LHC_OAUTH_CLIENT_SECRET", "a sign-in by OAuth"),
    ("LHC_OAUTH_ACCESS_TOKEN_URL", "a sign-in by OAuth"),
    ("LHC_OAUTH_SERVER_URL", "a sign-in by OAuth"),
    ("LHC_OAUTH_CALLBACK_PORT", "a sign-in by OAuth"),
    ("LHC_OAUTH_CREDENTIALS_LOCATION", "a sign-in by OAuth"),
];

const DEFAULT_HOST: &str = "localhost";
const DEFAULT_PORT: &str = "2023";
const DEFAULT_TENANT: &str = "default";

/// Every layer, read but not yet put together.
#[derive(Debug, Clone, Default)]
pub(super) struct Sources {
    flags: Flags,
    own: Option<(PathBuf, Own)>,
    environment: Shared,
    littlehorse: Option<(PathBuf, Shared)>,
    person: Person,
}

/// What one layer says in the names that LittleHorse clients share.
#[derive(Debug, Clone, Default)]
struct Shared {
    plain: BTreeMap<&'static str, String>,
    /// The security settings it touches; true: set, false: set to nothing, which takes a lower layer's back.
    security: BTreeMap<&'static str, bool>,
}

impl Shared {
    /// Takes what it knows out of a layer. Values of security settings are looked at for being empty, and dropped.
    fn collect(mut get: impl FnMut(&str) -> Option<String>) -> Shared {
        let mut found = Shared::default();
        for name in [HOST, PORT, PROTOCOL, TENANT] {
            if let Some(value) = get(name) {
                found.plain.insert(name, value.trim().to_owned());
            }
        }
        for (name, _) in SECURITY {
            if let Some(value) = get(name) {
                found.security.insert(name, !value.trim().is_empty());
            }
        }
        found
    }
}

impl Sources {
    /// Reads the files, the environment and the system. Missing files are fine, unreadable ones are not.
    pub(super) fn read(flags: Flags, paths: &Paths) -> Result<Sources, ConfigError> {
        let file = |path: &PathBuf| match std::fs::read(path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(source) if source.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(ConfigError::Unreadable { path: path.clone(), source }),
        };
        Ok(Sources {
            flags,
            own: file(&paths.config_file)?.map(|bytes| own_layer(&paths.config_file, &bytes)).transpose()?,
            environment: Shared::collect(|name| std::env::var(name).ok()),
            littlehorse: file(&paths.littlehorse_file)?
                .map(|bytes| littlehorse_layer(&paths.littlehorse_file, &bytes))
                .transpose()?,
            person: super::person(),
        })
    }

    /// A shared setting with its origin: the environment over the file; an empty text in either takes it back.
    fn shared(&self, name: &'static str) -> Option<Setting<&str>> {
        let environment = self.environment.plain.get(name).map(|value| (value, Origin::Environment(name)));
        let file = || {
            let (path, shared) = self.littlehorse.as_ref()?;
            shared.plain.get(name).map(|value| (value, Origin::LittleHorseFile(path.clone())))
        };
        let (value, origin) = environment.or_else(file)?;
        (!value.is_empty()).then(|| Setting::new(value.as_str(), origin))
    }

    fn own<T>(&self, get: impl FnOnce(&Own) -> &Option<T>) -> Option<(&T, Origin)> {
        let (path, own) = self.own.as_ref()?;
        get(own).as_ref().map(|value| (value, Origin::OwnFile(path.clone())))
    }
}

fn own_layer(path: &Path, bytes: &[u8]) -> Result<(PathBuf, Own), ConfigError> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
        ConfigError::Malformed {
            path: path.to_owned(),
            line: before.iter().filter(|&&byte| byte == b'\n').count() + 1,
            reason: "it is not UTF-8 text.".to_owned(),
        }
    })?;
    Ok((path.to_owned(), own::parse(path, text)?))
}

fn littlehorse_layer(path: &Path, bytes: &[u8]) -> Result<(PathBuf, Shared), ConfigError> {
    let found = properties::parse(&properties::decode(bytes)).map_err(|error| ConfigError::Malformed {
        path: path.to_owned(),
        line: error.line,
        reason: format!("{}.", error.reason),
    })?;
    Ok((path.to_owned(), Shared::collect(|name| found.get(name).cloned())))
}

/// Puts the layers together.
pub(super) fn resolve(sources: &Sources, paths: Paths) -> Result<Config, ConfigError> {
    Ok(Config {
        user: user(sources)?,
        groups: groups(sources)?,
        tenant: tenant(sources)?,
        target: target(sources)?,
        data_dir: data_dir(sources, &paths)?,
        retention: retention(sources)?,
        metrics: metrics(sources)?,
        log_format: log_format(sources),
        paths,
    })
}

fn user(sources: &Sources) -> Result<Setting<String>, ConfigError> {
    let setting = if let Some(user) = &sources.flags.user {
        Setting::new(user.clone(), Origin::Flag("--user"))
    } else if let Some((user, origin)) = sources.own(|own| &own.user) {
        Setting::new(user.clone(), origin)
    } else {
        Setting::new(sources.person.user.clone(), Origin::System)
    };
    not_blank("user", setting)
}

fn groups(sources: &Sources) -> Result<Setting<Vec<String>>, ConfigError> {
    let mut setting = if !sources.flags.groups.is_empty() {
        Setting::new(sources.flags.groups.clone(), Origin::Flag("--group"))
    } else if let Some((groups, origin)) = sources.own(|own| &own.groups) {
        Setting::new(groups.clone(), origin)
    } else {
        Setting::new(sources.person.groups.clone(), Origin::System)
    };
    if setting.value.iter().any(|group| group.trim().is_empty()) {
        return Err(blank("groups", setting.origin));
    }
    let mut seen = std::collections::BTreeSet::new();
    setting.value.retain(|group| seen.insert(group.clone()));
    Ok(setting)
}

fn tenant(sources: &Sources) -> Result<Setting<String>, ConfigError> {
    let setting = if let Some(tenant) = &sources.flags.tenant {
        Setting::new(tenant.clone(), Origin::Flag("--tenant"))
    } else if let Some((tenant, origin)) = sources.own(|own| &own.tenant) {
        Setting::new(tenant.clone(), origin)
    } else if let Some(shared) = sources.shared(TENANT) {
        Setting::new(shared.value.to_owned(), shared.origin)
    } else {
        Setting::new(DEFAULT_TENANT.to_owned(), Origin::Default)
    };
    let setting = not_blank("tenant", setting)?;
    // It travels as a header.
    if !setting.value.bytes().all(|byte| (0x20..0x7f).contains(&byte)) {
        let reason = "cannot be the name of a tenant.".to_owned();
        return Err(ConfigError::Invalid { name: "tenant", origin: setting.origin, reason });
    }
    Ok(setting)
}

fn data_dir(sources: &Sources, paths: &Paths) -> Result<Setting<PathBuf>, ConfigError> {
    let (name, setting) = if let Some(path) = &sources.flags.data_dir {
        ("--data-dir", Setting::new(path.clone(), Origin::Flag("--data-dir")))
    } else if let Some((path, origin)) = sources.own(|own| &own.data_dir) {
        let expanded = paths.expand(path);
        if !path.is_empty() && !expanded.is_absolute() {
            // Relative to what? To wherever ostler happens to be started: two engines where one was meant.
            let reason = "is not an absolute path.".to_owned();
            return Err(ConfigError::Invalid { name: "data_dir", origin, reason });
        }
        ("data_dir", Setting::new(expanded, origin))
    } else {
        ("data_dir", Setting::new(paths.data_dir.clone(), Origin::Default))
    };
    if setting.value.as_os_str().is_empty() {
        return Err(blank(name, setting.origin));
    }
    Ok(setting)
}

fn retention(sources: &Sources) -> Result<Option<Setting<Duration>>, ConfigError> {
    let Some((engine, origin)) = sources.own(|own| &own.engine) else { return Ok(None) };
    let Some(written) = &engine.retention else { return Ok(None) };
    match super::duration(written) {
        Ok(time) => Ok(Some(Setting::new(time, origin))),
        Err(reason) => Err(ConfigError::Invalid { name: "engine.retention", origin, reason: format!("{reason}.") }),
    }
}

fn metrics(sources: &Sources) -> Result<Option<Setting<SocketAddr>>, ConfigError> {
    if let Some(address) = sources.flags.metrics {
        return Ok(Some(Setting::new(address, Origin::Flag("--metrics"))));
    }
    let Some((engine, origin)) = sources.own(|own| &own.engine) else { return Ok(None) };
    let Some(written) = &engine.metrics else { return Ok(None) };
    match written.parse() {
        Ok(address) => Ok(Some(Setting::new(address, origin))),
        Err(_) => {
            let reason = "is not an address such as 127.0.0.1:9464.".to_owned();
            Err(ConfigError::Invalid { name: "engine.metrics", origin, reason })
        }
    }
}

fn log_format(sources: &Sources) -> Setting<LogFormat> {
    if let Some(format) = sources.flags.log_format {
        return Setting::new(format, Origin::Flag("--log-format"));
    }
    match sources.own(|own| &own.log) {
        Some((own::OwnLog { format: Some(format) }, origin)) => Setting::new(*format, origin),
        _ => Setting::new(LogFormat::default(), Origin::Default),
    }
}

/// The rule is written at the head of [`super`].
fn target(sources: &Sources) -> Result<Setting<Target>, ConfigError> {
    if sources.flags.bundled {
        return Ok(Setting::new(Target::Bundled, Origin::Flag("the command")));
    }
    let named = if let Some(server) = &sources.flags.server {
        Some(named_server(server, "--server", Origin::Flag("--server"))?)
    } else if sources.flags.data_dir.is_some() {
        Some(Setting::new(Target::Bundled, Origin::Flag("--data-dir")))
    } else if let Some((server, origin)) = sources.own(|own| &own.server) {
        Some(named_server(server, "server", origin)?)
    } else {
        None
    };
    match named {
        Some(bundled) if bundled.value == Target::Bundled => Ok(bundled),
        named => {
            refuse_security(sources)?;
            named.map_or_else(|| shared_server(sources), Ok)
        }
    }
}

fn named_server(server: &str, name: &'static str, origin: Origin) -> Result<Setting<Target>, ConfigError> {
    let setting = not_blank(name, Setting::new(server.trim().to_owned(), origin))?;
    let target = if setting.value == "local" { Target::Bundled } else { Target::Server(setting.value) };
    Ok(Setting::new(target, setting.origin))
}

fn shared_server(sources: &Sources) -> Result<Setting<Target>, ConfigError> {
    let host = sources.shared(HOST);
    let port = sources.shared(PORT);
    let Some(origin) = host.as_ref().or(port.as_ref()).map(|setting| setting.origin.clone()) else {
        return Ok(Setting::new(Target::Bundled, Origin::Default));
    };
    if let Some(port) = &port
        && !port.value.parse::<u16>().is_ok_and(|port| port > 0)
    {
        let reason = "is not a port number.".to_owned();
        return Err(ConfigError::Invalid { name: PORT, origin: port.origin.clone(), reason });
    }
    let host = host.map_or(DEFAULT_HOST, |host| host.value);
    let port = port.map_or(DEFAULT_PORT, |port| port.value);
    // A bare IPv6 address needs brackets before a port.
    let bare_v6 = host.parse::<std::net::Ipv6Addr>().is_ok();
    let address = if bare_v6 { format!("http://[{host}]:{port}") } else { format!("http://{host}:{port}") };
    Ok(Setting::new(Target::Server(address), origin))
}

fn refuse_security(sources: &Sources) -> Result<(), ConfigError> {
    if let Some(protocol) = sources.shared(PROTOCOL) {
        match protocol.value.to_ascii_uppercase().as_str() {
            "PLAINTEXT" => {}
            "TLS" => return Err(ConfigError::Security { name: PROTOCOL, origin: protocol.origin, what: "TLS" }),
            _ => {
                let reason = "is neither PLAINTEXT nor TLS.".to_owned();
                return Err(ConfigError::Invalid { name: PROTOCOL, origin: protocol.origin, reason });
            }
        }
    }
    for &(name, what) in SECURITY {
        let asks = match (sources.environment.security.get(name), &sources.littlehorse) {
            (Some(set), _) => set.then_some(Origin::Environment(name)),
            (None, Some((path, file))) => {
                file.security.get(name).and_then(|set| set.then(|| Origin::LittleHorseFile(path.clone())))
            }
            (None, None) => None,
        };
        if let Some(origin) = asks {
            return Err(ConfigError::Security { name, origin, what });
        }
    }
    Ok(())
}

fn not_blank(name: &'static str, setting: Setting<String>) -> Result<Setting<String>, ConfigError> {
    match setting.value.trim() {
        "" => Err(blank(name, setting.origin)),
        _ => Ok(setting),
    }
}

fn blank(name: &'static str, origin: Origin) -> ConfigError {
    ConfigError::Invalid { name, origin, reason: "is blank.".to_owned() }
}

#[cfg(test)]
mod tests;
