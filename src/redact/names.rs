//! Names that look like those of secrets.
//!
//! A name is cut into words where it is not alphanumeric, at `camelCase`, and between letters and digits. What counts is the last word that
//! is a secret's ([`STRONG`], [`WEAK`], [`KEYS`], [`PAIRS`]) and what follows it: `db.password`, `PASSWORD_REDIS` and `token2` are secrets,
//! while `token_ttl`, `PASSWORD_FILE` and `k8s.secret.name` say something about one ([`ABOUT`]). docs/redaction.md has examples of each.

/// What a name says of its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Says {
    /// It is a secret.
    Secret,
    /// It is a secret, unless it is a switch (`auth=true`).
    Perhaps,
    /// It leads to something and may hold a secret on the way, as a webhook's URL or a DSN do.
    Leads,
}

/// Ends of words that name a secret wherever they stand.
const STRONG: [&str; 22] = [
    "password",
    "passwords",
    "passwd",
    "pwd",
    "passphrase",
    "passcode",
    "passkey",
    "secret",
    "secrets",
    "token",
    "tokens",
    "apikey",
    "apikeys",
    "accesskey",
    "privatekey",
    "secretkey",
    "authkey",
    "credential",
    "credentials",
    "creds",
    "basicauth",
    "digestauth",
];
/// Words that name one only at the end of a name.
const WEAK: [&str; 7] = ["pass", "pw", "auth", "jwt", "bearer", "authorization", "secretid"];
/// Words that name something that leads elsewhere, and may hold a secret.
const LEADS: [&str; 5] = ["dsn", "webhook", "webhooks", "connectionstring", "connstr"];
/// Ends of words that are no secret although a shorter word at their end is one.
const OTHERS: [&str; 9] = ["compass", "bypass", "encompass", "trespass", "surpass", "overpass", "underpass", "multipass", "oauth"];
/// What makes a `key` that follows it a secret.
const KEYS: [&str; 27] = [
    "api",
    "access",
    "private",
    "encryption",
    "encrypt",
    "secret",
    "signing",
    "sign",
    "signature",
    "master",
    "session",
    "app",
    "ssh",
    "auth",
    "tls",
    "ssl",
    "account",
    "shared",
    "storage",
    "deploy",
    "crypt",
    "crypto",
    "cipher",
    "hmac",
    "jwt",
    "cookie",
    "license",
];
/// Two words that are a secret only together.
const PAIRS: [(&str, &str); 6] =
    [("pass", "phrase"), ("pass", "word"), ("pass", "code"), ("basic", "auth"), ("digest", "auth"), ("session", "cookie")];
/// Words after a secret's that leave it one.
const STILL: [&str; 44] = [
    "value",
    "values",
    "data",
    "string",
    "str",
    "text",
    "plain",
    "plaintext",
    "base64",
    "base",
    "b64",
    "hex",
    "raw",
    "json",
    "pem",
    "enc",
    "encoded",
    "encrypted",
    "hash",
    "hashed",
    "sha",
    "old",
    "new",
    "current",
    "previous",
    "prev",
    "next",
    "primary",
    "secondary",
    "main",
    "default",
    "prod",
    "production",
    "staging",
    "stage",
    "dev",
    "test",
    "live",
    "key",
    "keys",
    "admin",
    "root",
    "id",
    "user",
];
/// Words after a secret's that make the name say something about it.
const ABOUT: [&str; 118] = [
    "file",
    "files",
    "filename",
    "path",
    "paths",
    "dir",
    "directory",
    "name",
    "names",
    "ttl",
    "rule",
    "rules",
    "policy",
    "policies",
    "length",
    "len",
    "size",
    "min",
    "max",
    "expiry",
    "expires",
    "expire",
    "expiration",
    "exp",
    "lifetime",
    "age",
    "timeout",
    "duration",
    "interval",
    "period",
    "count",
    "counts",
    "limit",
    "limits",
    "budget",
    "usage",
    "rate",
    "enabled",
    "enable",
    "disabled",
    "disable",
    "required",
    "require",
    "optional",
    "type",
    "types",
    "kind",
    "algorithm",
    "algorithms",
    "algo",
    "alg",
    "url",
    "uri",
    "endpoint",
    "host",
    "hostname",
    "port",
    "issuer",
    "audience",
    "scope",
    "scopes",
    "header",
    "headers",
    "removeheader",
    "headerfield",
    "realm",
    "method",
    "methods",
    "mode",
    "provider",
    "providers",
    "service",
    "server",
    "backend",
    "driver",
    "store",
    "manager",
    "version",
    "format",
    "prefix",
    "suffix",
    "pattern",
    "regex",
    "field",
    "attribute",
    "ref",
    "reference",
    "arn",
    "location",
    "mount",
    "volume",
    "namespace",
    "owner",
    "group",
    "role",
    "description",
    "comment",
    "label",
    "source",
    "rotation",
    "strength",
    "complexity",
    "rounds",
    "iterations",
    "hint",
    "validation",
    "verifier",
    "generator",
    "encoder",
    "hasher",
    "address",
    "image",
    "command",
    "middlewares",
    "entrypoints",
    "usersfile",
    "ids",
    "stdin",
];
/// Words before `tokens` that make it a count.
const COUNTS: [&str; 14] =
    ["max", "min", "num", "number", "total", "count", "used", "prompt", "completion", "context", "input", "output", "n", "new"];
/// Names that Docker's own tools give; what they hold is known, and none is a secret.
const OWN: [&str; 3] = ["com.docker.compose.", "com.docker.swarm.", "com.docker.stack."];
/// Most bytes of a name that are looked at, from its end.
const MAX_NAME_BYTES: usize = 512;

/// What a name says; `None`: nothing of a secret.
pub(super) fn says(name: &str) -> Option<Says> {
    if OWN.iter().any(|own| name.starts_with(own)) {
        return None;
    }
    let name = super::tail(name, MAX_NAME_BYTES);
    let words = Words::of(name);
    let (at, found) = (0..words.0.len()).rev().find_map(|at| Some((at, words.secret(at)?)))?;
    let after = words.0.get(at + 1..).unwrap_or_default();
    let is = |list: &[&str], word: &Word<'_>| list.iter().any(|known| word.text.eq_ignore_ascii_case(known));
    let is_number = |word: &Word<'_>| word.text.bytes().all(|c| c.is_ascii_digit());
    if words.is(at, &["basicauth", "digestauth", "auth"]) && matches!(after, [users] if users.text.eq_ignore_ascii_case("users")) {
        return Some(Says::Secret);
    }
    if words.is(at, &["tokens"]) && at.checked_sub(1).is_some_and(|before| words.is(before, &COUNTS)) {
        return None;
    }
    if after.iter().any(|word| is(&ABOUT, word)) && found != Says::Leads {
        return None;
    }
    let unknown = after.iter().any(|word| !is_number(word) && word.text.chars().count() > 1 && !is(&STILL, word));
    if unknown && found != Says::Leads {
        // A name between dots is often somebody's own: of a router, a project, a host.
        let elsewhere = after.iter().any(|word| word.starts_level);
        let shouted = !name.chars().any(char::is_lowercase);
        let adjective = words.is(at, &["secret"]) && !shouted;
        if elsewhere || adjective || found == Says::Perhaps {
            return None;
        }
    }
    Some(found)
}

#[derive(Debug, Clone, Copy)]
struct Word<'a> {
    text: &'a str,
    /// A `.` or `/` stands before it.
    starts_level: bool,
}

struct Words<'a>(Vec<Word<'a>>);

impl<'a> Words<'a> {
    fn of(name: &'a str) -> Self {
        let mut all = Vec::new();
        for level in name.split(['.', '/']) {
            let mut starts_level = !all.is_empty();
            for part in level.split(|c: char| !c.is_alphanumeric()).filter(|part| !part.is_empty()) {
                // As one word where that is a secret's, for `passWord` and `API2Key`.
                let whole = Self(vec![Word { text: part, starts_level }]);
                let camel =
                    words(part).count() > 1 && words(part).all(|word| Self(vec![Word { text: word, starts_level }]).secret(0).is_none());
                let cut: Vec<Word<'_>> = if camel && whole.secret(0).is_some() {
                    whole.0
                } else {
                    words(part).map(|text| Word { text, starts_level: std::mem::take(&mut starts_level) }).collect()
                };
                starts_level = false;
                all.extend(cut);
            }
        }
        Self(all)
    }

    fn is(&self, at: usize, list: &[&str]) -> bool {
        self.0.get(at).is_some_and(|word| list.iter().any(|known| word.text.eq_ignore_ascii_case(known)))
    }

    /// What the word there names, with the one before it.
    fn secret(&self, at: usize) -> Option<Says> {
        let word = self.0.get(at)?.text.trim_end_matches(|c: char| c.is_ascii_digit());
        let before = self.0.get(..at).and_then(|before| before.iter().rev().find(|word| !word.text.bytes().all(|c| c.is_ascii_digit())));
        let before = before.map_or("", |word| word.text);
        let is = |text: &str, known: &&str| text.eq_ignore_ascii_case(known);
        if ends(word, &OTHERS) {
            return None;
        }
        if ends(word, &STRONG) {
            return Some(Says::Secret);
        }
        if PAIRS.iter().any(|(first, second)| is(before, first) && is(word, second)) {
            return Some(Says::Secret);
        }
        if is(word, &"key") || is(word, &"keys") {
            return KEYS.iter().any(|known| ends(before, &[known])).then_some(Says::Secret);
        }
        let joined = word.strip_suffix(['s', 'S']).unwrap_or(word);
        if ends(joined, &["key"]) && joined.get(..joined.len() - 3).is_some_and(|rest| ends(rest, &KEYS)) {
            return Some(Says::Secret);
        }
        if ends(word, &LEADS) || (is(before, &"connection") || is(before, &"conn")) && (is(word, &"string") || is(word, &"str")) {
            return Some(Says::Leads);
        }
        (WEAK.iter().any(|known| is(word, known)) || ends(word, &["pass", "pw"])).then_some(Says::Perhaps)
    }
}

fn ends(word: &str, list: &[&str]) -> bool {
    let ends_in = |known: &&str| {
        let from = word.len().checked_sub(known.len());
        from.and_then(|from| word.as_bytes().get(from..)).is_some_and(|end| end.eq_ignore_ascii_case(known.as_bytes()))
    };
    list.iter().any(ends_in)
}

/// `getHTTPToken2` as `get`, `HTTP`, `Token`, `2`.
fn words(part: &str) -> impl Iterator<Item = &str> {
    let mut rest = part;
    std::iter::from_fn(move || {
        let (word, behind) = rest.split_at(word_end(rest)?);
        rest = behind;
        Some(word)
    })
}

fn word_end(text: &str) -> Option<usize> {
    let mut chars = text.char_indices().peekable();
    let (_, mut before) = chars.next()?;
    while let Some((at, c)) = chars.next() {
        let next_is_lower = chars.peek().is_some_and(|(_, next)| next.is_lowercase());
        let begins = (c.is_uppercase() && (!before.is_uppercase() || next_is_lower)) || c.is_numeric() != before.is_numeric();
        if begins {
            return Some(at);
        }
        before = c;
    }
    Some(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cut_into_words() {
        let cut = |text| words(text).collect::<Vec<_>>();
        assert_eq!(cut("getHTTPToken2x"), ["get", "HTTP", "Token", "2", "x"]);
        assert_eq!((cut("APIKey"), cut("apiKEY"), cut("éÉa"), cut("")), (vec!["API", "Key"], vec!["api", "KEY"], vec!["é", "Éa"], vec![]));
    }

    #[test]
    fn what_looks_secret() {
        for name in [
            "password",
            "MYSQL_ROOT_PASSWORD",
            "dbPassword",
            "dbpassword",
            "passWord",
            "db.passwd",
            "PWD",
            "passphrase",
            "pass-phrase",
            "client_secret",
            "secrets",
            "secret2",
            "clientSecretValue",
            "com.example.token",
            "GITHUB_TOKEN_2",
            "authToken",
            "apikey",
            "apiKey",
            "APIKey",
            "api-key",
            "x.api.key",
            "API_KEYS",
            "aws_access_key_id",
            "AWS_SECRET_ACCESS_KEY",
            "accesskey",
            "s3AccessKey",
            "private key",
            "encryptionKey",
            "credentials",
            "traefik.http.middlewares.auth.basicauth.users",
            "traefik.http.middlewares.auth.basicAuth.users",
            "traefik.http.middlewares.x.digestauth.users",
            "digestauth",
            "DB_PASS",
            "dbpass",
            "SMTP_PW",
            "adminpw",
            "passcode",
            "PASSCODE",
            "secretkey",
            "SECRET_KEY_BASE",
            "secretKey",
            "signing-key",
            "SigningKey",
            "masterKey",
            "MASTER_KEY",
            "session.key",
            "sessionkey",
            "APP_KEY",
            "ssh_key",
            "sshKey",
            "authkey",
            "TS_AUTHKEY",
            "auth_key",
            "tls.key",
            "TLS_KEY",
            "REDIS_AUTH",
            "auth",
            "jwt",
            "id_jwt",
            "bearer",
            "Authorization",
            "x.headers.customrequestheaders.Authorization",
            "PASSWORD_REDIS",
            "password-redis",
            "SECRET_REDIS",
            "vault_secret_id",
            "db.password.1",
            "com.example.token.value",
            "hmacKey",
            "cookie_secret",
            "JWT_SECRET",
            "refresh_token",
            "STORAGE_ACCOUNT_KEY",
            "password_hash",
            "DEPLOY_KEY",
            "creds",
        ] {
            assert!(matches!(says(name), Some(Says::Secret | Says::Perhaps)), "{name}");
        }
        for name in ["dsn", "SENTRY_DSN", "webhook", "slack.webhook.url", "WEBHOOK_URL", "ConnectionString", "connection_string"] {
            assert_eq!(says(name), Some(Says::Leads), "{name}");
        }
        // However long.
        assert_eq!(says(&format!("{}.password", "é".repeat(1 << 20))), Some(Says::Secret));
    }

    #[test]
    fn what_does_not() {
        for name in [
            "",
            "name",
            "image",
            "exitCode",
            "execID",
            "author",
            "authors",
            "maintainer",
            "tokenizer",
            "secretary",
            "passwordless",
            "public-key",
            "keyboard",
            "monkey",
            "key",
            "api-keyboard",
            "access",
            "compass",
            "bypass",
            "basic",
            "oauth",
            "passenger",
            "passthrough",
            "com.docker.compose.project.environment_file",
            "com.docker.compose.secrets",
            "com.docker.swarm.task.name",
            "org.opencontainers.image.authors",
            "org.opencontainers.image.source",
            "traefik.enable",
            "traefik.http.routers.secret.rule",
            "traefik.http.routers.token.middlewares",
            "traefik.http.services.auth.loadbalancer.server.port",
            "token_ttl",
            "TOKEN_TTL",
            "access-token-lifetime",
            "max_tokens",
            "maxTokens",
            "prompt_tokens",
            "DB_PASSWORD_FILE",
            "POSTGRES_PASSWORD_FILE",
            "secretFile",
            "API_KEY_PATH",
            "k8s.secret.name",
            "secretName",
            "k8s.secret.namespace",
            "traefik.http.middlewares.x.basicauth.removeheader",
            "traefik.http.middlewares.x.basicauth.realm",
            "traefik.http.middlewares.x.basicauth.usersfile",
            "traefik.http.middlewares.x.forwardauth.address",
            "secret-santa",
            "secret.santa.year",
            "password-policy",
            "password_min_length",
            "auth_type",
            "AUTH_PROVIDER",
            "auth.enabled",
            "jwt_issuer",
            "authorization_url",
            "token-endpoint",
            "ssh_key_file",
            "hotkey",
            "turkey",
            "partition_key",
            "primary.key",
            "primary_key",
            "pwned",
            "spawn",
            "authority",
            "authentik.version",
            "keycloak",
        ] {
            assert_eq!(says(name), None, "{name}");
        }
    }
}
