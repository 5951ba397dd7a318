//! The words by which names are judged, in lower case.

use std::collections::HashMap;
use std::sync::LazyLock;

/// Ends of words that name a secret wherever they stand.
pub(super) const STRONG: &str = "password passwords passwd pwd passphrase passcode passkey secret secrets token tokens apikey apikeys accesskey \
     privatekey secretkey authkey credential credentials creds basicauth digestauth psw mnemonic sessid requirepass";
/// Words that name one only at the end of a name.
pub(super) const WEAK: &str = "pass pw auth jwt bearer authorization secretid";
/// Words that name something that leads elsewhere, and may hold a secret.
pub(super) const LEADS: &str = "dsn webhook webhooks connectionstring connstr";
/// Ends of words that are no secret although a shorter word at their end is one.
pub(super) const OTHERS: &str =
    "compass bypass encompass trespass surpass overpass underpass multipass oauth maxtokens forwardauth clientauth noauth";
/// What makes a `key` that follows it a secret.
pub(super) const KEYS: &str = "api access private encryption encrypt secret signing sign signature master session app ssh auth tls ssl account shared \
     storage deploy crypt crypto cipher hmac jwt cookie license webhook rsa aes pgp gpg";
/// Two words that are a secret only together.
pub(super) const PAIRS: [(&str, &str); 6] =
    [("pass", "phrase"), ("pass", "word"), ("pass", "code"), ("basic", "auth"), ("digest", "auth"), ("session", "cookie")];
/// Words before `auth` and `pass` that make them something else: `client-auth`, `first-pass`.
pub(super) const NO_WEAK_AFTER: &str = "client forward no use enable disable first second two multi by o";
/// Words after a secret's that leave it one.
const STILL: &str = "value values data string str text plain plaintext base64 base b64 hex raw json pem enc encoded encrypted hash hashed \
     sha old new current previous prev next primary secondary main default prod production staging stage dev test live key \
     keys admin root user salt";
/// Words after a secret's that make the name say something about it.
const ABOUT: &str = "file files filename path paths dir directory name names ttl rule rules policy policies length len size min max expiry \
     expires expire expiration exp lifetime age timeout duration interval period count counts limit limits budget usage \
     rate enabled enable disabled disable required require optional type types kind algorithm algorithms algo alg url uri \
     endpoint host hostname port issuer audience scope scopes header headers removeheader headerfield realm method methods \
     mode provider providers service server backend driver store manager version format prefix suffix pattern regex field \
     attribute ref reference arn location mount volume namespace owner group role description comment label source rotation \
     strength complexity rounds iterations hint validation verifier generator encoder hasher address image command \
     middlewares entrypoints usersfile ids stdin bucket buckets reset env var expiring mapping template domain samesite \
     secure through check checks id";
/// Words before `tokens` that make it a count.
pub(super) const COUNTS: &str = "max min num number total count used prompt completion context input output n new";
/// Without one of these no name is a secret's.
pub(super) const PIECES: [&str; 17] = [
    "pass", "psw", "pwd", "pw", "phrase", "secret", "token", "key", "cred", "auth", "jwt", "bearer", "dsn", "webhook", "conn", "mnemonic",
    "sess",
];

/// What a word says that follows a secret's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Follows {
    /// It is still the secret.
    Still,
    /// It is something about it.
    About,
}

static FOLLOWS: LazyLock<HashMap<&'static str, Follows>> = LazyLock::new(|| {
    let words = |words: &'static str, follows| words.split_ascii_whitespace().map(move |word| (word, follows));
    words(STILL, Follows::Still).chain(words(ABOUT, Follows::About)).collect()
});

/// What a word says after a secret's; `None`: nothing that is known.
pub(super) fn follows(word: &str) -> Option<Follows> {
    FOLLOWS.get(word.to_ascii_lowercase().as_str()).copied()
}

/// Whether a word is one of a list.
pub(super) fn is_one(word: &str, list: &str) -> bool {
    list.split_ascii_whitespace().any(|known| word.eq_ignore_ascii_case(known))
}

/// Whether a word ends in one of a list.
pub(super) fn ends(word: &str, list: &str) -> bool {
    let ends_in = |known: &str| {
        let from = word.len().checked_sub(known.len());
        from.and_then(|from| word.as_bytes().get(from..)).is_some_and(|end| end.eq_ignore_ascii_case(known.as_bytes()))
    };
    list.split_ascii_whitespace().any(ends_in)
}
