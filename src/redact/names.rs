//! Names that look like those of secrets.
//!
//! A name is cut where it is not alphanumeric, at `camelCase`, and between letters and digits. It looks like a secret's when a part ends in one of
//! [`SECRETS`] (`MYSQL_ROOT_PASSWORD`, `dbpassword`, `authToken`, `secret2`), or when two neighbours are one of [`PAIRS`] (`api-key`, `private.keys`).
//! So `author`, `tokenizer`, `secretary`, `passwordless`, `public-key` and `keyboard` do not; `token_ttl` and `password-policy` do, and can be excepted.

/// Ends of a part.
const SECRETS: [&str; 16] = [
    "password",
    "passwords",
    "passwd",
    "pwd",
    "passphrase",
    "secret",
    "secrets",
    "token",
    "tokens",
    "apikey",
    "apikeys",
    "accesskey",
    "privatekey",
    "credential",
    "credentials",
    "basicauth",
];
/// Parts that are harmless alone.
const PAIRS: [(&str, &str); 10] = [
    ("api", "key"),
    ("api", "keys"),
    ("access", "key"),
    ("access", "keys"),
    ("private", "key"),
    ("private", "keys"),
    ("encryption", "key"),
    ("encryption", "keys"),
    ("basic", "auth"),
    ("pass", "phrase"),
];
/// Names that Docker's own tools give; what they hold is known, and none is a secret.
const OWN: [&str; 3] = ["com.docker.compose.", "com.docker.swarm.", "com.docker.stack."];

/// Whether it looks like the name of a secret.
pub(super) fn look_secret(name: &str) -> bool {
    if OWN.iter().any(|own| name.starts_with(own)) {
        return false;
    }
    let mut before = "";
    for part in name.split(|c: char| !c.is_alphanumeric()) {
        // Also as one word, for `passWord`.
        if ends_secret(part.trim_end_matches(|c: char| c.is_ascii_digit())) {
            return true;
        }
        for word in words(part) {
            let is_pair = |(first, second): &(&str, &str)| before.eq_ignore_ascii_case(first) && word.eq_ignore_ascii_case(second);
            if ends_secret(word) || PAIRS.iter().any(is_pair) {
                return true;
            }
            if !word.bytes().all(|c| c.is_ascii_digit()) {
                before = word;
            }
        }
    }
    false
}

fn ends_secret(word: &str) -> bool {
    let ends_in = |secret: &&str| {
        let from = word.len().checked_sub(secret.len());
        from.and_then(|from| word.as_bytes().get(from..)).is_some_and(|end| end.eq_ignore_ascii_case(secret.as_bytes()))
    };
    SECRETS.iter().any(ends_in)
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
        ] {
            assert!(look_secret(name), "{name}");
        }
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
            "basic",
            "oauth",
            "com.docker.compose.project.environment_file",
            "com.docker.compose.secrets",
            "com.docker.swarm.task.name",
            "org.opencontainers.image.authors",
            "org.opencontainers.image.source",
            "traefik.enable",
        ] {
            assert!(!look_secret(name), "{name}");
        }
    }
}
