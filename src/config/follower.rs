//! The settings of a server of a fleet: those of `serve`, but any setting of what only a recorder does is
//! refused.

use super::setting::Origin;
use super::table::Settings;
use super::{ConfigError, Env, ServeArgs, ServeConfig};

/// What is in the place of a Docker host that nobody records.
const NOBODY: &str = "unix:///var/run/docker.sock";

impl ServeConfig {
    /// Resolves and checks what a server of a fleet takes.
    ///
    /// # Errors
    /// [`ConfigError::OfHosts`] for a setting of recorders, and as [`ServeConfig::load`].
    pub fn of_follower(args: &ServeArgs, env: Env<'_>) -> Result<Self, ConfigError> {
        let mut settings = Settings::merged(args, env)?;
        refuse_recording(&settings)?;
        settings.docker_host.value = vec![NOBODY.to_owned()];
        settings.check()
    }
}

fn refuse_recording(settings: &Settings) -> Result<(), ConfigError> {
    macro_rules! given {
        ($($field:ident),*) => { [$((settings.$field.origin != Origin::Default).then(|| settings.$field.place())),*] };
    }
    let of_recorders = given![
        docker_host,
        demo,
        read_only,
        drop_noise,
        last_words,
        redact,
        redact_attribute,
        redact_except,
        forward,
        forward_name,
        forward_nkey,
        forward_creds,
        forward_tls_ca,
        forward_tls_cert,
        forward_tls_key,
        forward_stream,
        forward_tenant,
        forward_since
    ];
    if let Some(place) = of_recorders.into_iter().flatten().next() {
        return Err(ConfigError::OfHosts { place, why: "a server of a fleet records and forwards nothing" });
    }
    let hooks = [(settings.hook.is_empty(), "[[hook]]"), (settings.mute.is_empty(), "[[mute]]")];
    match hooks.into_iter().find(|(is_empty, _)| !is_empty) {
        Some((_, place)) => {
            let why = "each of several servers of a fleet would tell the same, so hooks run on hosts only";
            Err(ConfigError::OfHosts { place: place.to_owned(), why })
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{Args as _, Command, FromArgMatches as _};

    fn load(flags: &[&str], env: Env<'_>) -> Result<ServeConfig, String> {
        let matches = ServeArgs::augment_args(Command::new("serve")).get_matches_from([&["serve"], flags].concat());
        ServeConfig::of_follower(&ServeArgs::from_arg_matches(&matches).unwrap(), env).map_err(|e| e.to_string())
    }

    #[test]
    fn what_recorders_do_is_refused_by_the_place_that_says_it() {
        let taken = load(&["--data-dir=d", "--retain-age=90d"], &|name| (name == "DOCKER_HOST").then(|| "unix:///other".into()));
        assert_eq!(taken.unwrap().data_dir, std::path::Path::new("d"));
        for flag in ["--docker-host=unix:///x", "--demo", "--read-only=x", "--last-words", "--redact=none", "--forward=nats://a:4222"] {
            let error = load(&[flag], &|_| None).unwrap_err();
            let name = flag.split('=').next().unwrap();
            assert!(error.starts_with(&format!("{name}: ")) && error.contains("on the hosts"), "{error}");
        }
        let error = load(&[], &|name| (name == "SHIPSLOG_DROP_NOISE").then(|| "true".into())).unwrap_err();
        assert!(error.starts_with("SHIPSLOG_DROP_NOISE: "), "{error}");
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("shipslog.toml");
        std::fs::write(&file, "[[hook]]\nname = \"a\"\nurl = \"https://a.example/\"\n").unwrap();
        let error = load(&["--config", file.to_str().unwrap()], &|_| None).unwrap_err();
        assert!(error.starts_with("[[hook]]: ") && error.contains("hooks run on hosts only"), "{error}");
    }
}
