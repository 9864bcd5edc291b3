//! The commands about requests for deletion, and what a running server makes of them.

use super::{Installation, PATIENCE, client, get};
use crate::support::eventually;

const fn refuse(id: &str) -> [&str; 7] {
    let reason = "the profile says no";
    ["deletion", "refuse", id, "--reason", reason, "--by", "olga"]
}

const fn approve<'a>(id: &'a str, user: &'a str) -> [&'a str; 8] {
    let reason = "a video call";
    [
        "deletion", "approve", id, "--user", user, "--reason", reason, "--yes",
    ]
}

/// The files of letters, each in one piece.
fn letters(home: &Installation) -> Option<Vec<String>> {
    let files = std::fs::read_dir(home.path("data/outbox")).ok()?;
    let paths = files.map(|file| file.unwrap().path());
    let of_letters = paths.filter(|path| path.extension().is_some_and(|end| end == "eml"));
    // One that goes meanwhile is none.
    let texts = of_letters.filter_map(|path| std::fs::read_to_string(path).ok());
    Some(
        texts
            .map(|text| text.replace("=\r\n", "").replace("=\n", ""))
            .collect(),
    )
}

#[tokio::test]
async fn an_operator_lists_shows_approves_and_refuses() {
    let home = Installation::new();
    home.run(&["key", "create", "--user", "zelda"]).await.good();
    let server = home.serve().await;
    let address = server.public().await;
    let mut codes = Vec::new();
    for name in ["zelda.quixote", "somebody.else"] {
        let form = [
            ("key", name),
            ("username", name),
            ("description", "scheduled \u{1b}[2Jposts"),
            ("email", "reader@example.com"),
        ];
        let answer = client()
            .post(format!("http://{address}/privacy/delete"))
            .form(&form)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status().as_u16(), 200);
        // The client follows to the page of the request, as a browser does.
        codes.push(answer.url().path().to_owned());
    }
    let listed = home.run(&["deletion", "list"]).await.good();
    assert_eq!(listed.lines().count(), 2, "{listed}");
    let mut ids = std::collections::BTreeMap::new();
    for line in listed.lines() {
        let id = line.split_whitespace().next().unwrap().to_owned();
        let shown = home.run(&["deletion", "show", &id]).await.good();
        assert!(
            !shown.contains('\u{1b}'),
            "a terminal is not obeyed: {shown}"
        );
        assert!(shown.contains("by letter"), "{shown}");
        let name = shown
            .lines()
            .find_map(|line| line.strip_prefix("username     "));
        ids.insert(name.unwrap().to_owned(), id);
    }
    let (mine, other) = (ids["zelda.quixote"].as_str(), ids["somebody.else"].as_str());
    home.run(&refuse(other))
        .await
        .refused(&["by names no operator"]);
    let add = ["operator", "add", "olga", "--role", "admin"];
    home.run(&add).await.good();
    let refused = home.run(&refuse(other)).await.good();
    assert!(refused.contains("refused"), "{refused}");
    home.run(&refuse(other)).await.refused(&["OPEN"]);
    home.run(&approve(mine, "nobody"))
        .await
        .refused(&["userName names nobody here"]);
    let code = home.run(&approve(mine, "zelda")).await.good();
    let path = format!("/erasure/{}", code.trim());
    // The end takes minutes: everything is looked at once more. Whoever asked sees that it runs.
    let (status, page) = get(address, &path).await.unwrap();
    assert!(
        status == 200 && page.to_lowercase().contains("deleted"),
        "{page}"
    );
    let (_, page) = get(address, &codes[0]).await.unwrap();
    assert!(page.contains(&path), "{page}");
    let (_, page) = get(address, &codes[1]).await.unwrap();
    assert!(page.contains("The request was refused"), "{page}");
    let all = home.run(&["deletion", "list", "--all"]).await.good();
    let word = |word: &str| all.split_whitespace().any(|one| one == word);
    assert!(word("refused") && (word("proven") || word("done")), "{all}");
    // Both acts are on record, and the erasure's own word is as well.
    home.run(&["audit", "verify"]).await.good();
    let file = home.path("audit.jsonl").display().to_string();
    home.run(&["audit", "export", &file]).await.good();
    let record = std::fs::read_to_string(&file).unwrap();
    assert!(record.contains("deletion.approve"), "{record}");
    assert!(record.contains("deletion.refuse"), "{record}");
    // The default outbox: letters are files. Those about who is erased go with them.
    eventually(PATIENCE, "letters are written", async || {
        let letters = letters(&home)?;
        let about_other = letters
            .iter()
            .filter(|text| text.contains(&codes[1]) || text.contains("so nothing was deleted"));
        (about_other.count() == 2).then_some(())
    })
    .await;
    home.run(&["billing", "records"]).await.good();
}
