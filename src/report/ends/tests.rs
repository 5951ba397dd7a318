use super::*;

fn item(seconds: i64, act: Act, container: &str, kind: &str) -> Item {
    Item {
        time: Timestamp::from_nanos(seconds * 1_000_000_000),
        seq: u64::try_from(seconds).unwrap(),
        id: format!("7f3c9a1e-{seconds}"),
        act,
        what: "stop",
        container: container.into(),
        subject: "shop/api".into(),
        kind: kind.into(),
        text: kind.into(),
        failure: false,
        plain: true,
        folded: 0,
    }
}

fn told(items: &mut [Item]) -> Vec<(&'static str, String)> {
    tell(items);
    items.iter().filter(|item| item.act == Act::Die).map(|item| (item.what, item.text.clone())).collect()
}

#[test]
fn a_stop_that_was_not_obeyed_is_told_from_one_that_was() {
    let (term, kill) = ("was sent signal 15 through Docker's API", "was sent signal 9 through Docker's API");
    let mut items = [
        item(1, Act::Start, "a", "started"),
        item(10, Act::Kill, "a", term),
        item(20, Act::Kill, "a", kill),
        item(20, Act::Die, "a", "ended with exit 137"),
        item(21, Act::Stop, "a", "was stopped"),
        item(30, Act::Start, "a", "started"),
        item(40, Act::Kill, "a", term),
        item(41, Act::Die, "a", "ended with exit 143"),
        item(50, Act::Start, "a", "started"),
        item(60, Act::Kill, "a", kill),
        item(60, Act::Die, "a", "ended with exit 137"),
        item(70, Act::Start, "a", "started"),
        item(80, Act::Die, "a", "ended with exit 0"),
    ];
    let texts = told(&mut items);
    assert_eq!(texts[0], ("deaf", "ended with exit 137: did not stop in 10 s and was killed".to_owned()));
    assert_eq!(texts[1], ("stop", "ended with exit 143: stopped as asked".to_owned()));
    assert_eq!(texts[2], ("stop", "ended with exit 137: killed as asked".to_owned()));
    assert_eq!(texts[3], ("stop", "ended with exit 0".to_owned()), "nobody asked for it");
}

#[test]
fn what_took_its_place_is_named_whichever_was_first() {
    let kill = "was sent signal 9 through Docker's API";
    let mut after = [
        item(1, Act::Create, "a", "was made from web:3"),
        item(2, Act::Start, "a", "started"),
        item(30, Act::Kill, "a", kill),
        item(30, Act::Die, "a", "ended with exit 137"),
        item(31, Act::Create, "b", "was made from web:4"),
    ];
    assert_eq!(told(&mut after), [("stop", "ended with exit 137: replaced by web:4".to_owned())]);
    let mut before = [
        item(2, Act::Start, "a", "started"),
        item(29, Act::Create, "b", "was made from web:4"),
        item(30, Act::Kill, "a", "was sent signal 15 through Docker's API"),
        item(40, Act::Kill, "a", kill),
        item(40, Act::Die, "a", "ended with exit 137"),
    ];
    assert_eq!(told(&mut before), [("deaf", "ended with exit 137: did not stop in 10 s and was killed and replaced by web:4".to_owned())]);
}
