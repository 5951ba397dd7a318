use super::*;

fn hooks(text: &str) -> Result<Vec<Hook>, String> {
    let layer: crate::config::Layer = toml::from_str(text).map_err(|e| e.to_string())?;
    check(&layer.hook).map_err(|e| e.to_string())
}

fn mutes(text: &str) -> Result<Vec<Mute>, String> {
    let layer: crate::config::Layer = toml::from_str(text).map_err(|e| e.to_string())?;
    check_mutes(&layer.mute).map_err(|e| e.to_string())
}

#[test]
fn what_a_file_says_of_hooks() {
    let found = hooks(
        "[[hook]]\nname = \"ops\"\nurl = \"https://hooks.example/x\"\nformat = \"slack\"\nseverity = \"major\"\n\
         subjects = [\"shop/*\"]\nheader-file = \"/etc/token\"\n[[hook]]\nname = \"here\"\nurl = \"http://[::1]:9093/api/v2/alerts\"\n",
    )
    .unwrap();
    assert_eq!(
        (found[0].form, found[0].severity, found[0].subjects.as_slice()),
        (Form::Slack, Severity::Major, &["shop/*".to_owned()][..])
    );
    assert_eq!((found[1].form, found[1].severity, found[1].header_file.as_ref()), (Form::Json, Severity::Minor, None));
}

#[test]
fn what_is_wrong_with_them_is_said() {
    for (more, part) in [
        ("url = \"http://hooks.example/x\"", "https://, or insecure = true"),
        ("url = \"ftp://x\"", "a URL such as"),
        ("url = \"https://x\"\nseverity = \"notice\"", "notices are never sent"),
        ("url = \"https://x\"\nformat = \"smtp\"", "unknown variant `smtp`"),
        ("url = \"https://x\"\ncolour = 1", "unknown field `colour`"),
        ("url = \"https://x\"\n[[hook]]\nname = \"a\"\nurl = \"https://x\"", "that no other hook has"),
    ] {
        let error = hooks(&format!("[[hook]]\nname = \"a\"\n{more}")).unwrap_err();
        assert!(error.contains(part), "{more}: {error}");
    }
    assert!(hooks("[[hook]]\nname = \"a\"\nurl = \"http://hooks.example\"\ninsecure = true").is_ok());
}

#[test]
fn there_may_be_so_many_of_each() {
    let one = |n: usize| format!("[[hook]]\nname = \"h{n}\"\nurl = \"https://x\"\n");
    let many = |count: usize| (0..count).map(one).collect::<Vec<_>>().concat();
    assert_eq!(hooks(&many(MAX_HOOKS)).unwrap().len(), MAX_HOOKS);
    assert!(hooks(&many(MAX_HOOKS + 1)).unwrap_err().contains(&format!("{MAX_HOOKS} of them or fewer")));
    let named = |bytes: usize| hooks(&format!("[[hook]]\nname = \"{}\"\nurl = \"https://x\"", "n".repeat(bytes)));
    assert!(named(MAX_NAME_BYTES).is_ok());
    assert!(named(MAX_NAME_BYTES + 1).unwrap_err().contains(&format!("up to {MAX_NAME_BYTES} bytes")));
    assert_eq!(mutes(&"[[mute]]\n".repeat(MAX_MUTES)).unwrap().len(), MAX_MUTES);
    assert!(mutes(&"[[mute]]\n".repeat(MAX_MUTES + 1)).unwrap_err().contains(&format!("{MAX_MUTES} of them or fewer")));
}

#[test]
fn what_a_file_says_of_mutes() {
    let found = mutes(
        "[[mute]]\nsubjects = [\"nightly*\"]\ndaily = \"23:30-04:00\"\ntz = \"Europe/Berlin\"\n\
         [[mute]]\nfrom = \"2026-12-24 18:00\"\nuntil = \"2026-12-24T20:00:00Z\"\n",
    )
    .unwrap();
    let daily = found[0].daily.unwrap();
    assert_eq!((daily.from, daily.until, daily.zone), (84_600, 14_400, Tz::Europe__Berlin));
    assert_eq!(found[1].until.unwrap().since(found[1].from.unwrap()).as_secs(), 7200);
    for (text, part) in [("daily = \"25:00-01:00\"", "02:00-04:30"), ("tz = \"Mars\"", "a zone"), ("from = \"soon\"", "a time")] {
        let error = mutes(&format!("[[mute]]\n{text}")).unwrap_err();
        assert!(error.contains(part), "{text}: {error}");
    }
}
