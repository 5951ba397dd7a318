//! Scripts as the build makes them smaller: no token changes, none is joined with another, and every line
//! stays.

#[path = "../../build/script.rs"]
mod script;

use script::packed;
use std::fs;

/// What must become what.
const CASES: [(&str, &str); 17] = [
    ("const a = 1; // one\n", "const a=1;\n"),
    ("/** @type {number} */ (a) => a + 1\n", "(a)=>a+1\n"),
    ("let a\n/* two\n lines */\nlet b\n", "let a\n\n\nlet b\n"),
    ("return /[/\"]+ \\/ x/g.test(a) ? 'x  // y' : b\n", "return /[/\"]+ \\/ x/g.test(a)?'x  // y':b\n"),
    ("if (a) /b  c'/.exec(d)\n", "if(a)/b  c'/.exec(d)\n"),
    ("x = (a + b) / 2 / c[0] / d\n", "x=(a+b)/2/c[0]/d\n"),
    ("x = a / /b  c/.y\n", "x=a/ /b  c/.y\n"),
    ("x = a.return / b / c\n", "x=a.return/b/c\n"),
    ("a = b + +c - -d\n", "a=b+ +c- -d\n"),
    ("a + ++ b\n", "a+ ++b\n"),
    ("1 .x in #y\n", "1 .x in #y\n"),
    ("/x/ in y\n", "/x/ in y\n"),
    ("`a  ${ `b  ${ {c: 1} } d` } // e`\n", "`a  ${`b  ${{c:1}} d`} // e`\n"),
    ("`one\n  two ${ /`/ }`  + 1\n", "`one\n  two ${/`/}`+1\n"),
    ("'it\\'s  \\\\' + \"a /* b */\"\n", "'it\\'s  \\\\'+\"a /* b */\"\n"),
    ("return a\n  + b\n", "return a\n+b\n"),
    ("a ? .5 : b?.c  // d", "a? .5:b?.c"),
];

#[test]
fn scripts_lose_what_only_people_need() {
    for (written, sent) in CASES {
        assert_eq!(packed(written).as_deref(), Ok(sent));
    }
}

#[test]
fn what_cannot_be_told_apart_stops_the_build() {
    for (written, line) in [
        ("a\nb = {} / 2", "2: "),
        ("a++ / 2", "1: "),
        ("'a\n'", "1: "),
        ("`a", "1: "),
        ("\n/* a", "2: "),
        ("x = /a\n", "1: "),
        ("f(", "1: "),
        ("f)", "1: "),
    ] {
        assert!(packed(written).is_err_and(|why| why.starts_with(line)), "{written:?}: {:?}", packed(written));
    }
}

#[test]
fn scripts_of_the_pages_keep_their_lines_and_are_packed_once() {
    let mut scripts = 0;
    for entry in fs::read_dir(super::root().join("src/ui")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|ext| ext != "js") {
            continue;
        }
        scripts += 1;
        let written = fs::read_to_string(&path).unwrap();
        let sent = packed(&written).unwrap_or_else(|why| panic!("{}:{why}", path.display()));
        assert_eq!(written.lines().count(), sent.lines().count(), "{}", path.display());
        assert_eq!(packed(&sent).as_ref(), Ok(&sent), "{}", path.display());
    }
    assert!(scripts > 40, "{scripts}");
}
