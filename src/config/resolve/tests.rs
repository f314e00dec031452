use super::*;

/// Layers from texts, as they would be read.
#[derive(Default)]
struct Given<'a> {
    flags: Flags,
    own: &'a str,
    environment: &'a [(&'a str, &'a str)],
    littlehorse: &'a str,
}

fn config(given: Given) -> Result<Config, ConfigError> {
    let paths = Paths::below(Path::new("/home/amy"));
    let environment =
        |name: &str| given.environment.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
    let sources = Sources {
        flags: given.flags,
        own: Some(own_layer(&paths.config_file, given.own.as_bytes())?),
        environment: Shared::collect(environment),
        littlehorse: Some(littlehorse_layer(&paths.littlehorse_file, given.littlehorse.as_bytes())?),
        person: Person { user: "amy".to_owned(), groups: vec!["staff".to_owned(), "finance".to_owned()] },
    };
    resolve(&sources, paths)
}

fn server(address: &str) -> Flags {
    Flags { server: Some(address.to_owned()), ..Flags::default() }
}

#[test]
fn nothing_configured_is_the_bundled_engine_as_the_system_knows_the_person() {
    let config = config(Given::default()).unwrap();
    assert_eq!(config.target, Setting::new(Target::Bundled, Origin::Default));
    assert_eq!(config.user, Setting::new("amy".to_owned(), Origin::System));
    assert_eq!(config.groups, Setting::new(vec!["staff".to_owned(), "finance".to_owned()], Origin::System));
    assert_eq!(config.tenant, Setting::new("default".to_owned(), Origin::Default));
    assert_eq!(config.data_dir, Setting::new(PathBuf::from("/home/amy/data"), Origin::Default));
}

#[test]
fn when_a_server_is_meant() {
    let own = || Origin::OwnFile(PathBuf::from("/home/amy/config.toml"));
    let file = || Origin::LittleHorseFile(PathBuf::from("/home/amy/littlehorse.config"));
    let at = |address: &str| Target::Server(address.to_owned());
    let data_dir = || Flags { data_dir: Some(PathBuf::from("d")), ..Flags::default() };
    let lhc: &[(&str, &str)] = &[(HOST, "env.example")];
    let table: Vec<(Given, Target, Origin)> = vec![
        (Given { flags: server("http://h:1"), ..Given::default() }, at("http://h:1"), Origin::Flag("--server")),
        (
            Given { flags: server("h"), own: "server = 'o'", environment: lhc, ..Given::default() },
            at("h"),
            Origin::Flag("--server"),
        ),
        (
            Given { flags: server("local"), environment: lhc, ..Given::default() },
            Target::Bundled,
            Origin::Flag("--server"),
        ),
        (
            Given { flags: data_dir(), environment: lhc, ..Given::default() },
            Target::Bundled,
            Origin::Flag("--data-dir"),
        ),
        (
            Given { flags: Flags { bundled: true, ..server("h") }, environment: lhc, ..Given::default() },
            Target::Bundled,
            Origin::Flag("the command"),
        ),
        (Given { own: "server = 'http://o:1'", environment: lhc, ..Given::default() }, at("http://o:1"), own()),
        (Given { own: "server = 'local'", environment: lhc, ..Given::default() }, Target::Bundled, own()),
        (
            Given { own: "data_dir = '/d'", environment: lhc, ..Given::default() },
            at("http://env.example:2023"),
            Origin::Environment(HOST),
        ),
        (
            Given { environment: &[(PORT, "3000")], ..Given::default() },
            at("http://localhost:3000"),
            Origin::Environment(PORT),
        ),
        (Given { littlehorse: "LHC_API_HOST=f.example", ..Given::default() }, at("http://f.example:2023"), file()),
        (Given { littlehorse: "LHC_API_PORT=9", ..Given::default() }, at("http://localhost:9"), file()),
        (
            Given { littlehorse: "LHC_API_HOST=f.example\nLHC_API_PORT=9", environment: lhc, ..Given::default() },
            at("http://env.example:9"),
            Origin::Environment(HOST),
        ),
        (
            Given { environment: &[(HOST, "::1")], ..Given::default() },
            at("http://[::1]:2023"),
            Origin::Environment(HOST),
        ),
        (Given { environment: &[(TENANT, "t")], ..Given::default() }, Target::Bundled, Origin::Default),
        (Given { environment: &[(PROTOCOL, "plaintext")], ..Given::default() }, Target::Bundled, Origin::Default),
        (
            Given { littlehorse: "LHC_API_HOST=f.example", environment: &[(HOST, "")], ..Given::default() },
            Target::Bundled,
            Origin::Default,
        ),
    ];
    for (index, (given, target, origin)) in table.into_iter().enumerate() {
        assert_eq!(config(given).unwrap().target, Setting::new(target, origin), "row {index}");
    }
}

#[test]
fn security_is_refused_by_name_and_never_by_value() {
    for (name, value) in
        SECURITY.iter().map(|(name, _)| (*name, "hunter2")).chain([(PROTOCOL, "TLS"), (PROTOCOL, "tls")])
    {
        let in_file = format!("{name}={value}\n");
        let environment = [(name, value)];
        for given in [
            Given { environment: &environment, ..Given::default() },
            Given { littlehorse: &in_file, ..Given::default() },
            Given { flags: server("http://127.0.0.1:2023"), environment: &environment, ..Given::default() },
            Given { own: "server = 'http://127.0.0.1:2023'", littlehorse: &in_file, ..Given::default() },
        ] {
            let error = config(given).unwrap_err();
            assert!(matches!(error, ConfigError::Security { name: named, .. } if named == name), "{error}");
            for text in [error.to_string(), format!("{error:?}")] {
                assert!(text.contains(name) && !text.contains("hunter2"), "{text}");
            }
        }
        // A chosen bundled engine needs none of it.
        for flags in [server("local"), Flags { bundled: true, ..Flags::default() }] {
            assert!(config(Given { flags, environment: &environment, ..Given::default() }).is_ok(), "{name}");
        }
        // Taken back for one call.
        let taken_back = [(name, "")];
        let given =
            Given { flags: server("http://h:1"), environment: &taken_back, littlehorse: &in_file, ..Given::default() };
        assert!(config(given).is_ok(), "{name}");
    }
}

#[test]
fn sources_hold_no_secret() {
    let shared = Shared::collect(|name| Some(format!("hunter2-{name}")));
    let text = format!("{:?}", shared.security);
    assert!(text.contains("LHC_OAUTH_CLIENT_SECRET") && !text.contains("hunter2"), "{text}");
}

#[test]
fn later_layers_win() {
    let flags = Flags {
        user: Some("bob".to_owned()),
        groups: vec!["ops".to_owned(), "ops".to_owned(), "legal".to_owned()],
        tenant: Some("flag".to_owned()),
        data_dir: Some(PathBuf::from("here")),
        ..Flags::default()
    };
    let own = "user = 'carl'\ngroups = []\ntenant = 'own'\ndata_dir = '~/x'\n";
    let environment: &[(&str, &str)] = &[(TENANT, "env")];
    let all = config(Given { flags, own, environment, littlehorse: "LHC_TENANT_ID=file" }).unwrap();
    assert_eq!(all.user, Setting::new("bob".to_owned(), Origin::Flag("--user")));
    assert_eq!(all.groups, Setting::new(vec!["ops".to_owned(), "legal".to_owned()], Origin::Flag("--group")));
    assert_eq!(all.tenant.value, "flag");
    assert_eq!(all.data_dir.value, PathBuf::from("here"));

    let without_flags = config(Given { own, environment, ..Given::default() }).unwrap();
    assert_eq!(without_flags.user.value, "carl");
    assert_eq!(without_flags.groups.value, Vec::<String>::new());
    assert_eq!(without_flags.tenant.value, "own");
    assert_eq!(without_flags.data_dir.value, PathBuf::from("/home/amy/x"));

    let shared = config(Given { environment, littlehorse: "LHC_TENANT_ID=file", ..Given::default() }).unwrap();
    assert_eq!(shared.tenant, Setting::new("env".to_owned(), Origin::Environment(TENANT)));
    let file = config(Given { littlehorse: "LHC_TENANT_ID=file", ..Given::default() }).unwrap();
    assert_eq!(file.tenant.value, "file");
}

#[test]
fn what_cannot_be_meant() {
    let flags = |change: fn(&mut Flags)| {
        let mut flags = Flags::default();
        change(&mut flags);
        Given { flags, ..Given::default() }
    };
    let table: Vec<(Given, &str)> = vec![
        (flags(|flags| flags.user = Some(" ".to_owned())), "--user is blank."),
        (flags(|flags| flags.groups = vec![String::new()]), "--group is blank."),
        (flags(|flags| flags.server = Some(String::new())), "--server is blank."),
        (flags(|flags| flags.tenant = Some("a\nb".to_owned())), "--tenant cannot be the name of a tenant."),
        (flags(|flags| flags.data_dir = Some(PathBuf::new())), "--data-dir is blank."),
        (
            Given { own: "data_dir = 'x'", ..Given::default() },
            "data_dir in /home/amy/config.toml is not an absolute path.",
        ),
        (
            Given { environment: &[(PORT, "70000")], ..Given::default() },
            "LHC_API_PORT in the environment is not a port number.",
        ),
        (
            Given { environment: &[(PORT, "0")], ..Given::default() },
            "LHC_API_PORT in the environment is not a port number.",
        ),
        (
            Given { littlehorse: "LHC_API_PROTOCOL=QUIC", ..Given::default() },
            "LHC_API_PROTOCOL in /home/amy/littlehorse.config is neither PLAINTEXT nor TLS.",
        ),
        (
            Given { littlehorse: "a=1\nb=\\u1", ..Given::default() },
            "/home/amy/littlehorse.config, line 2: \\u is not followed by four hexadecimal digits.",
        ),
        (
            Given { own: "user = 'a'\nusr = 'b'", ..Given::default() },
            "/home/amy/config.toml, line 2: unknown field `usr`, expected one of `user`, `groups`, \
             `server`, `tenant`, `data_dir`, `engine`, `log`.",
        ),
        (
            Given { own: "[engine]\nretention = '90 days'", ..Given::default() },
            "engine.retention in /home/amy/config.toml is not a span of time such as 90d, 12h or 30m.",
        ),
        (
            Given { own: "[engine]\nmetrics = '9464'", ..Given::default() },
            "engine.metrics in /home/amy/config.toml is not an address such as 127.0.0.1:9464.",
        ),
    ];
    for (given, expected) in table {
        assert_eq!(config(given).unwrap_err().to_string(), expected);
    }
}
