//! ostler's own file, `config.toml`.

use std::path::Path;

use serde::Deserialize;

use super::{ConfigError, LogFormat};

/// What `config.toml` may hold. An unknown key is an error: a misspelt `groups` would hide tasks silently.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Own {
    pub(super) user: Option<String>,
    pub(super) groups: Option<Vec<String>>,
    pub(super) server: Option<String>,
    pub(super) tenant: Option<String>,
    pub(super) data_dir: Option<String>,
    pub(super) engine: Option<OwnEngine>,
    pub(super) log: Option<OwnLog>,
}

/// `[engine]`: how the bundled engine is run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OwnEngine {
    pub(super) retention: Option<String>,
    pub(super) metrics: Option<String>,
}

/// `[log]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OwnLog {
    pub(super) format: Option<LogFormat>,
}

/// Reads the text of the file; `path` is for the message.
pub(super) fn parse(path: &Path, text: &str) -> Result<Own, ConfigError> {
    toml::from_str(text).map_err(|error| {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        ConfigError::Malformed {
            path: path.to_owned(),
            line: before.matches('\n').count() + 1,
            // Only the message: the whole error quotes the line, and a secret may stand there.
            reason: format!("{}.", error.message().lines().collect::<Vec<_>>().join("; ")),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_keys() {
        let text = "user = 'amy'\ngroups = ['finance', 'ops']\nserver = 'http://h:1'\ntenant = 't'\ndata_dir = '~/x'\n\
                    [engine]\nretention = '90d'\nmetrics = '127.0.0.1:1'\n[log]\nformat = 'json'\n";
        let own = parse(Path::new("c"), text).unwrap();
        assert_eq!(own.user.as_deref(), Some("amy"));
        assert_eq!(own.groups, Some(vec!["finance".to_owned(), "ops".to_owned()]));
        assert_eq!(own.server.as_deref(), Some("http://h:1"));
        assert_eq!(own.tenant.as_deref(), Some("t"));
        assert_eq!(own.data_dir.as_deref(), Some("~/x"));
        let engine = OwnEngine { retention: Some("90d".to_owned()), metrics: Some("127.0.0.1:1".to_owned()) };
        assert_eq!(own.engine, Some(engine));
        assert_eq!(own.log, Some(OwnLog { format: Some(LogFormat::Json) }));
        assert_eq!(parse(Path::new("c"), "").unwrap(), Own::default());
    }

    #[test]
    fn faults_name_the_line() {
        for (text, at) in
            [("user = 'amy'\ngruops = []\n", 2), ("user = 1\n", 1), ("user = 'amy'\n\npassword = 'hunter2'", 3)]
        {
            let error = parse(Path::new("c.toml"), text).unwrap_err();
            let ConfigError::Malformed { line, .. } = &error else { panic!("{error}") };
            assert_eq!(*line, at, "{error}");
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
    }
}
