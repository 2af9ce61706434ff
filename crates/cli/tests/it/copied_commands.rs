//! The commands that the web page copies: each is run in a shell, and does to one chat what its button does to another
//! one that is equal.

use std::fs;
use std::path::PathBuf;

use ctxpin_browser::Chromium;
use serde_json::{Value, json};

use crate::bench::{Bench, Served, said};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// A title that a shell would take apart.
const TITLE: &str = "It's \"half\" done; ctxpin $(exit 9) `x` && \\ ж";

/// Keeps what the page copies.
const KEEP_COPIES: &str =
    "navigator.clipboard.writeText = async (text) => { window.copied = text; }; true";

/// A server, a workspace, and a browser that is signed in as their owner.
struct Shop {
    bench: Bench,
    served: Served,
    app: PathBuf,
    agent: String,
    browser: Chromium,
    edition: u32,
}

/// An action: what a person does first, and the selector of the button. `CHAT` stands for the id of the chat.
struct Action {
    page: String,
    prepare: String,
    button: &'static str,
}

impl Shop {
    async fn open() -> Result<Self> {
        let bench = Bench::new();
        let app = bench.workspace("it's my app", "Be brief.\n");
        let served = bench.serve(&app, &[]);
        let agent = bench.agent_of(&app, &served, "neutral");
        let mut browser = Chromium::start().await?;
        browser.open(&format!("{}/sign-in", served.url)).await?;
        let token = json!(fs::read_to_string(&served.token)?.trim());
        let field = "document.querySelector('input[name=token]')";
        browser
            .evaluate(&format!("{field}.value = {token}"))
            .await?;
        browser.follow("[data-sign-in] button[type=submit]").await?;
        let mut shop = Self {
            bench,
            served,
            app,
            agent,
            browser,
            edition: 0,
        };
        shop.push()?;
        Ok(shop)
    }

    /// Changes each file of the workspace, and pushes it.
    fn push(&mut self) -> Result<()> {
        self.edition += 1;
        let skill = "---\nname: s\ndescription: Helps.\n---\n";
        for (path, begin) in [
            ("AGENTS.md", ""),
            (".agents/skills/it's here/SKILL.md", skill),
            (".agents/skills/two words/SKILL.md", skill),
        ] {
            let path = self.app.join(path);
            fs::create_dir_all(path.parent().unwrap())?;
            fs::write(path, format!("{begin}Edition {}.\n", self.edition))?;
        }
        self.send();
        Ok(())
    }

    /// Pushes the workspace as it is.
    fn send(&self) {
        let push = ["push", "--server", &self.served.url, "--token-file"];
        self.bench
            .ok(&self.app, &[&push[..], &[&self.agent]].concat());
    }

    /// Runs a line of a shell with the owner's token, and returns what it prints.
    fn shell(&self, line: &str) -> Result<String> {
        let mut command = self.bench.shell(&self.bench.root(), line);
        command.env(
            "CTXPIN_TOKEN",
            fs::read_to_string(&self.served.token)?.trim(),
        );
        let said = said(&mut command);
        assert!(said.code == Some(0), "{line}: {said:#?}");
        Ok(said.out)
    }

    /// Runs a command of ours with the owner's token.
    fn ctxpin(&self, line: &str) -> Result<String> {
        self.shell(&format!("CTXPIN_SERVER={} ctxpin {line}", self.served.url))
    }

    fn chat(&self) -> Result<String> {
        let made = self.ctxpin("chat new --agent app --title Twin --json")?;
        let chat: Value = serde_json::from_str(&made)?;
        Ok(chat["id"].as_str().unwrap().to_owned())
    }

    /// Returns what the API says of a chat, without what two chats cannot have in common. `null` if it is gone.
    fn state(&self, chat: &str) -> Result<Value> {
        let list = self.ctxpin("chat list --all --json")?;
        let list: Value = serde_json::from_str(&list)?;
        let mut listed = list["items"].as_array().unwrap().iter();
        let found = listed.find(|one| one["id"] == chat);
        let Some(chat) = found else {
            return Ok(Value::Null);
        };
        let context = &chat["context"];
        Ok(json!([
            chat["title"],
            chat["policy"],
            chat["mode"],
            chat["archived"],
            chat["agent_id"],
            context["snapshot"],
            context["dirty"],
            context["declined"],
            context["change_count"],
        ]))
    }

    async fn visit(&mut self, action: &Action, chat: &str) -> Result<()> {
        let page = action.page.replace("CHAT", chat);
        self.browser
            .open(&format!("{}{page}", self.served.url))
            .await?;
        let prepare = action.prepare.replace("CHAT", chat);
        self.browser.evaluate(KEEP_COPIES).await?;
        self.browser
            .evaluate(&format!("{{ {prepare} }} true"))
            .await?;
        Ok(())
    }

    /// Returns the command that is offered beside a button.
    async fn copied(&mut self, button: &str) -> Result<String> {
        let button = json!(button);
        let click = format!(
            "delete window.copied; document.querySelector({button}).closest('.action').querySelector('.command').click()"
        );
        self.browser.evaluate(&click).await?;
        self.browser.until("window.copied !== undefined").await?;
        let copied = self.browser.evaluate("window.copied").await?;
        Ok(copied.as_str().unwrap().to_owned())
    }

    /// Presses the button for one chat, runs its command for another one, and compares the two.
    async fn compare(&mut self, action: &Action, chats: &[String; 2]) -> Result<()> {
        let [pressed, commanded] = chats;
        self.visit(action, commanded).await?;
        let command = self.copied(action.button).await?;
        self.shell(&command)?;
        self.visit(action, pressed).await?;
        let button = json!(action.button);
        self.browser
            .evaluate(&format!(
                "window.isHere = true; document.querySelector({button}).click()"
            ))
            .await?;
        self.browser
            .until("!window.isHere || document.querySelector('.toast [data-close]') !== null")
            .await?;
        let (pressed, commanded) = (self.state(pressed)?, self.state(commanded)?);
        assert!(pressed == commanded, "{command}: {pressed} {commanded}");
        Ok(())
    }
}

fn action(page: &str, prepare: impl Into<String>, button: &'static str) -> Action {
    Action {
        page: page.to_owned(),
        prepare: prepare.into(),
        button,
    }
}

/// Types a title.
fn rename(title: &str) -> String {
    let title = json!(title);
    format!("document.querySelector('.title [name=title]').value = {title};")
}

/// Ticks the box of the chat in a list.
const TICK: &str = "document.getElementById('box-CHAT').click();";

#[tokio::test]
async fn a_copied_command_does_what_its_button_does() -> Result<()> {
    let mut shop = Shop::open().await?;
    // Each pair begins behind its workspace.
    let decided = [
        action("/chats/CHAT", "", "#decision [value=all]"),
        action(
            "/chats/CHAT",
            "document.querySelectorAll('[name=source]').forEach((box) => /here|two/.test(box.value) && box.click());",
            "#decision [value=chosen]",
        ),
        action("/chats/CHAT", "", "#decision [value=decline]"),
        action("/chats/CHAT", rename(TITLE), ".title [type=submit]"),
        action("/chats/CHAT", rename("--title"), ".title [type=submit]"),
        action("/chats/CHAT", rename(""), ".title [type=submit]"),
        action("/chats/CHAT", "", ".menu-list [name=archived]"),
        action(
            "/chats/CHAT/settings",
            "document.querySelector('[value=follow]').click();",
            "main .primary",
        ),
        action(
            "/chats/CHAT/settings",
            "document.querySelector('[value=observed]').click();",
            "main .primary",
        ),
        action(
            "/chats/CHAT/settings",
            "document.querySelector('[name=agent]').value = '';",
            "main .primary",
        ),
        action("/chats/CHAT/delete", "", "main .danger"),
        action("/chats", TICK, "#selection [value=all]"),
        action("/chats", TICK, "#selection [value=decline]"),
        action("/chats", TICK, "#selection [value=archive]"),
    ];
    for action in &decided {
        let chats = [shop.chat()?, shop.chat()?];
        shop.push()?;
        shop.compare(action, &chats).await?;
        for chat in chats {
            if !shop.state(&chat)?.is_null() {
                shop.ctxpin(&format!("chat delete {chat}"))?;
            }
        }
    }

    // What was decided is decided again, taken, rolled back, and undone.
    let chats = [shop.chat()?, shop.chat()?];
    shop.push()?;
    let decline = || chats.iter().map(|chat| format!("chat decline {chat}"));
    for action in [
        action("/chats/CHAT", "", "#decision [value=undecline]"),
        action("/chats?show=declined", TICK, "#selection [value=undecline]"),
        action("/chats?show=declined", TICK, "#selection [value=all]"),
        action(
            "/chats/CHAT/history",
            "",
            "[data-key=pin-1] [value=rollback]",
        ),
        action("/chats/CHAT", "", ".menu-list [name=archived]"),
        action("/chats?show=archived", TICK, "#selection [value=unarchive]"),
        action("/chats/CHAT", "", ".menu-list [name=archived]"),
        action("/chats/CHAT", "", ".head > form [name=archived]"),
    ] {
        if action.button.ends_with("undecline]") || action.page.ends_with("declined") {
            for line in decline() {
                shop.ctxpin(&line)?;
            }
        }
        shop.compare(&action, &chats).await?;
    }

    // An undo of each kind.
    shop.push()?;
    let [pressed, commanded] = &chats;
    for action in [
        action("/chats/CHAT", "", "#decision [value=all]"),
        action("/chats/CHAT", "", "#decision [value=decline]"),
        action("/chats/CHAT", "", ".menu-list [name=archived]"),
        action("/chats", TICK, "#selection [value=all]"),
        action("/chats", TICK, "#selection [value=decline]"),
        action("/chats", TICK, "#selection [value=archive]"),
    ] {
        let before = shop.state(pressed)?;
        for (chat, is_pressed) in [(pressed, true), (commanded, false)] {
            shop.visit(&action, chat).await?;
            let press = |button: &str| format!("document.querySelector({}).click()", json!(button));
            shop.browser.evaluate(&press(action.button)).await?;
            let undo = ".toast [data-keys=u]";
            let is_there = format!("document.querySelector('{undo}') !== null");
            shop.browser.until(&is_there).await?;
            match is_pressed {
                true => {
                    shop.browser
                        .evaluate(&format!(
                            "document.querySelector('.toast').id = 'old'; {}",
                            press(undo)
                        ))
                        .await?;
                    let done = "document.getElementById('old') === null";
                    shop.browser.until(done).await?;
                }
                false => {
                    let command = shop.copied(undo).await?;
                    shop.shell(&command)?;
                }
            }
            assert_eq!(shop.state(chat)?, before, "{}", action.button);
        }
    }

    // A change of several chats, for one of them and for all.
    let id = "document.querySelector('.change-row[data-key]').dataset.key";
    let inbox = action("/", "", "");
    shop.visit(&inbox, "").await?;
    let change = shop.browser.evaluate(id).await?;
    let page = format!("/changes/{}", change.as_str().unwrap());
    let one = action(&page, TICK, "#decision [value=decline]");
    shop.compare(&one, &chats).await?;
    for chat in &chats {
        shop.ctxpin(&format!("chat decline --undo {chat}"))?;
    }
    let one = action(&page, TICK, "#decision [value=chosen]");
    shop.compare(&one, &chats).await?;
    for (button, state) in [
        (".row-actions [value=all]", "clean"),
        (".row-actions [value=decline]", "declined"),
        ("#selection [value=take]", "clean"),
    ] {
        shop.push()?;
        let tick = "document.querySelectorAll('[name=change]').forEach((box) => box.click());";
        shop.visit(&action("/", tick, ""), "").await?;
        let command = shop.copied(button).await?;
        shop.shell(&command)?;
        let context = shop.state(pressed)?;
        match state {
            "declined" => assert_eq!(context[7], true, "{command}: {context}"),
            _ => assert_eq!(
                context[6],
                button.starts_with(".row"),
                "{command}: {context}"
            ),
        }
        assert_eq!(context, shop.state(commanded)?, "{command}");
    }

    // A command holds if a push changes nothing of what its page showed.
    shop.push()?;
    shop.visit(&action("/chats/CHAT", "", ""), pressed).await?;
    let command = shop.copied("#decision [value=all]").await?;
    let unused = shop.app.join(".agents/skills/unused/SKILL.md");
    fs::create_dir_all(unused.parent().unwrap())?;
    fs::write(unused, "No frontmatter.\n")?;
    shop.send();
    shop.shell(&command)?;
    assert_eq!(shop.state(pressed)?[6], false, "{command}");
    shop.browser.no_errors()?;
    Ok(())
}
