use super::*;

const TOKEN: &str = "correct-horse-battery-staple";

fn access(text: &str) -> Result<Arc<Access>, AccessError> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    Access::load(file.path()).map(Arc::new)
}

impl Access {
    fn admits(self: &Arc<Self>, headers: &HeaderMap) -> bool {
        self.admit(headers, true).is_some()
    }
}

fn with(name: header::HeaderName, value: &str) -> HeaderMap {
    HeaderMap::from_iter([(name, value.parse().unwrap())])
}

#[test]
fn bearers_are_let_in() {
    let access = access(&format!("# people\n{TOKEN}\n\n  another-long-enough-one  \n")).unwrap();
    for value in [format!("Bearer {TOKEN}"), format!("bearer  {TOKEN} "), "BEARER another-long-enough-one".to_owned()] {
        assert!(access.admits(&with(header::AUTHORIZATION, &value)), "{value}");
    }
    for value in ["", "Bearer", "Bearer ", TOKEN, "Bearer correct-horse-battery-stapl", "Basic Y29ycmVjdA==", "Bearer # people"] {
        assert!(!access.admits(&with(header::AUTHORIZATION, value)), "{value}");
    }
    assert!(!access.admits(&HeaderMap::new()));
}

#[test]
fn sessions_last_and_end() {
    let access = access(TOKEN).unwrap();
    assert_eq!(access.log_in("something-else-entirely", true), None);
    let set = access.log_in(TOKEN, true).unwrap();
    assert!(set.contains("HttpOnly") && set.contains("SameSite=Strict") && set.contains("Secure") && !set.contains("Path"), "{set}");
    assert!(!set.contains(TOKEN) && !access.log_in(TOKEN, false).unwrap().contains("Secure"));
    let value = set.split(';').next().unwrap();
    let sent = with(header::COOKIE, &format!("theme=dark; {value}"));
    assert!(access.admits(&sent));
    assert!(access.session(&sent, SystemTime::now() + SESSION + Duration::from_secs(1)).is_none(), "it ends");
    let (until, proof) = value.strip_prefix("shipslog_session=").unwrap().split_once('.').unwrap();
    let longer = until.parse::<u64>().unwrap() + 1;
    for forged in [format!("{longer}.{proof}"), format!("{until}.{}", "0".repeat(64)), format!("{until}."), until.to_owned(), String::new()]
    {
        assert!(!access.admits(&with(header::COOKIE, &format!("{COOKIE}={forged}"))), "{forged}");
    }
    *access.tokens.write() = vec![Token { digest: Sha256::digest("the-token-after-that-one").into(), hosts: None }];
    assert!(!access.admits(&sent), "the token is gone, and its sessions with it");
}

#[test]
fn a_file_of_any_size_is_read_no_further_than_its_bound() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), format!("{TOKEN}\n")).unwrap();
    let fill = |bytes: u64| {
        let comments = format!("{TOKEN}\n").len() as u64..bytes;
        let text = format!("{TOKEN}\n{}", comments.map(|_| '#').collect::<String>());
        std::fs::write(file.path(), text).unwrap();
        Access::load(file.path())
    };
    assert!(fill(file::MAX_FILE_BYTES).is_ok());
    assert!(fill(file::MAX_FILE_BYTES + 1).unwrap_err().to_string().contains("longer than"));
    file.as_file().set_len(1 << 40).unwrap();
    assert!(Access::load(file.path()).unwrap_err().to_string().contains("longer than"));
}

#[test]
fn bad_files_are_told_without_their_tokens() {
    assert!(access("# none\n\n").unwrap_err().to_string().contains("holds no token"));
    for bad in ["short", "with a space in the middle", "with-an-umlaut-öööööööö"] {
        let error = access(&format!("{TOKEN}\n{bad}\n")).unwrap_err().to_string();
        assert!(error.contains("line 2") && !error.contains(bad), "{error}");
    }
    assert!(Access::load(Path::new("/nonexistent")).unwrap_err().to_string().contains("cannot read the token file"));
}

#[test]
fn a_token_reads_of_the_hosts_on_its_line() {
    let narrow = "a-narrow-token-of-the-shop";
    let access = access(&format!("# all\n{TOKEN}\n# the shop\n{narrow}\t hosts=web-*,db-1 \n{narrow} hosts=db-1,web-*\n")).unwrap();
    let hosts = |headers: &HeaderMap| access.admit(headers, true).unwrap().hosts().map(ToString::to_string);
    assert_eq!(hosts(&with(header::AUTHORIZATION, &format!("Bearer {TOKEN}"))), None);
    assert_eq!(hosts(&with(header::AUTHORIZATION, &format!("Bearer {narrow}"))).as_deref(), Some("db-1, web-*"));
    let cookie = access.log_in(narrow, false).unwrap();
    assert_eq!(hosts(&with(header::COOKIE, cookie.split(';').next().unwrap())).as_deref(), Some("db-1, web-*"), "its sessions as well");
    assert!(!access.admits(&with(header::AUTHORIZATION, &format!("Bearer {narrow} hosts=web-*,db-1"))), "they are no part of it");
    let other = self::access(&format!("{narrow} hosts=db-1")).unwrap();
    let (before, after) = (access.knows(narrow.as_bytes()), other.knows(narrow.as_bytes()));
    assert!(before.is_some() && after.is_some() && before != after, "one that reads of others is not the same any more");
}

#[test]
fn a_line_that_is_not_understood_lets_nobody_in() {
    let narrow = "a-narrow-token-of-the-shop";
    for (rest, said) in [
        ("hosts=", "is missing"),
        ("hosts=web,,db", "is missing"),
        ("hosts=web, db", "only hosts="),
        ("hosts=*-web", "at the end"),
        ("hosts=web # shop", "only hosts="),
        ("host=web", "only hosts="),
        ("# all", "only hosts="),
        ("web", "only hosts="),
    ] {
        let error = access(&format!("{TOKEN}\n{narrow} {rest}\n")).unwrap_err();
        assert!(!error.leaves_nobody(), "the tokens before it stay");
        let error = error.to_string();
        assert!(error.contains("line 2") && error.contains(said) && !error.contains(narrow), "{rest}: {error}");
    }
    let error = access(&format!("{narrow}\n\n{narrow} hosts=web\n")).unwrap_err().to_string();
    assert!(error.contains("line 3") && error.contains("line 1") && !error.contains(narrow), "{error}");
}
