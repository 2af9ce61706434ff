//! Forms whose session ended before they were sent: what was typed is there again after the next sign-in of the same
//! user, and for nobody else.

use anyhow::Result;
use ctxpin_browser::Chromium;
use ctxpin_protocol::http::people::{TokenCreate, TokenRevoke, UserCreate};
use reqwest::StatusCode;
use reqwest::header::{LOCATION, REFERER, SET_COOKIE};
use uuid::Uuid;

use crate::browser::{Browser, between, box_value, create_chat, hidden, is_ticked, page_value};
use crate::flows::{edition, sign_in};
use crate::server::{Agent, Server};

async fn user(server: &Server, name: &str) -> Uuid {
    let user = UserCreate {
        name: name.into(),
        roles: vec!["member".into()],
    };
    server.client.user_create(&user).await.unwrap().id
}

/// Returns the id and the secret of a new token of a user.
async fn token(server: &Server, user: Uuid) -> (Uuid, String) {
    let token = TokenCreate {
        user: Some(user),
        ..TokenCreate::default()
    };
    let token = server.client.token_create(&token).await.unwrap();
    (token.token.id, token.secret.expose().to_owned())
}

/// Ends the sessions of a token.
async fn end(server: &Server, token: Uuid) {
    let revoke = TokenRevoke::default();
    let revoked = server.client.token_revoke(token.into(), &revoke).await;
    revoked.unwrap();
}

/// Sends a new chat from a page whose session has ended. Returns the cookie with what was typed.
async fn kept(server: &Server, browser: &Browser<'_>, page: &str) -> String {
    let value = page_value(page);
    let fields = [
        ("page", value.as_str()),
        ("title", "  \"Half\" & <typed>;"),
        ("policy", "follow"),
    ];
    let form = browser.form("/chats", &fields);
    let referer = server.url.join("/chats/new").unwrap();
    let refused = form.header(REFERER, referer.as_str()).send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::SEE_OTHER);
    let to = &refused.headers()[LOCATION];
    assert_eq!(to, "/sign-in?next=%2Fchats%2Fnew");
    let cookie = refused.headers()[SET_COOKIE].to_str().unwrap();
    assert!(cookie.ends_with("; HttpOnly; SameSite=Strict"), "{cookie}");
    cookie.split(';').next().unwrap().to_owned()
}

#[tokio::test]
async fn a_form_without_the_script_is_filled_again_for_its_user_alone() {
    let server = Server::start().await;
    let [eve, mira] = [user(&server, "eve").await, user(&server, "mira").await];
    let (id, secret) = token(&server, eve).await;
    let browser = Browser::sign_in(&server, &secret).await;
    let page = browser.page("/chats/new").await;
    end(&server, id).await;
    let cookie = kept(&server, &browser, &page).await;

    for (user, path, is_shown) in [
        (mira, "/chats/new", false),
        (eve, "/search", false),
        (eve, "/chats/new", true),
    ] {
        let (_, secret) = token(&server, user).await;
        let mut browser = Browser::sign_in(&server, &secret).await;
        browser.cookies += &format!("; {cookie}");
        let response = browser.get(path).send().await.unwrap();
        // The first page shows the form, or forgets it.
        let forgotten = response.headers()[SET_COOKIE].to_str().unwrap();
        assert!(
            forgotten.starts_with("ctxpin-unsent=; Path=/; Max-Age=0"),
            "{forgotten}"
        );
        let page = response.text().await.unwrap();
        for text in [
            "Your session had ended. Look at what is here, and send it again.",
            "value=\"  &#34;Half&#34; &#38; &#60;typed&#62;;\"",
            "name=\"policy\" value=\"follow\" checked",
        ] {
            assert_eq!(page.contains(text), is_shown, "{path}: {text} in {page}");
        }
    }
    // Nothing comes of a form without a user, from another site, or that is too long for a stranger.
    let long = "x".repeat(2_000);
    for (fields, is_kept) in [
        (
            vec![("page", page_value(&page)), ("title", "x".into())],
            true,
        ),
        (vec![("title", "x".into())], false),
        (vec![("page", page_value(&page))], false),
        (vec![("page", page_value(&page)), ("title", long)], false),
    ] {
        let fields: Vec<_> = fields
            .iter()
            .map(|(name, value)| (*name, &**value))
            .collect();
        let referer = server.url.join("/chats/new").unwrap();
        let form = browser.form("/chats", &fields);
        let refused = form.header(REFERER, referer.as_str()).send().await.unwrap();
        assert_eq!(refused.status(), StatusCode::SEE_OTHER);
        assert_eq!(refused.headers().contains_key(SET_COOKIE), is_kept);
    }
    server.stop().await;
}

#[tokio::test]
async fn choices_of_a_page_that_has_changed_are_kept_where_they_are_the_same() {
    let server = Server::start().await;
    let mut browser = Browser::sign_in(&server, &server.token).await;
    let mut agent = Agent::create(&server).await;
    agent.push(&edition("Be kind.")).await;
    let chat = create_chat(&server, Some(agent.id), "A chat").await;
    let two = |skill| edition("Be quick.").skill("pdf", skill, &[]);
    agent.push(&two("Reads PDFs.")).await;
    let (path, moves) = (format!("/chats/{chat}"), format!("/chats/{chat}/moves"));
    let page = browser.page(&path).await;
    let file = "instruction_file /w/AGENTS.md";
    let skill = "skill /w/.agents/skills/pdf/SKILL.md";
    let (file_box, skill_box) = (box_value(&page, file), box_value(&page, skill));
    agent.push(&two("Reads and writes PDFs.")).await;
    let fields = [
        ("page", page_value(&page)),
        ("pin", hidden(&page, "pin").to_owned()),
        ("head", hidden(&page, "head").to_owned()),
        ("source", file_box.to_owned()),
        ("source", skill_box.to_owned()),
        ("move", "chosen".to_owned()),
    ];
    let fields: Vec<_> = fields
        .iter()
        .map(|(name, value)| (*name, &**value))
        .collect();
    let referer = server.url.join(&path).unwrap();
    let form = browser.form(&moves, &fields);
    let refused = form.header(REFERER, referer.as_str()).send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::PRECONDITION_FAILED);
    let cookie = refused.headers()[SET_COOKIE].to_str().unwrap().to_owned();
    let refused = refused.text().await.unwrap();
    let link = between(&refused, "<a class=\"button\" href=\"", "\">Look again</a>").to_owned();
    assert!(link.starts_with(&format!("{path}?again=")), "{link}");
    browser.cookies += &format!("; {}", cookie.split(';').next().unwrap());
    // The other tabs have the cookie too, and neither show the form nor forget it.
    for other in [path.as_str(), &format!("{path}?again=0"), "/chats"] {
        let response = browser.get(other).send().await.unwrap();
        assert!(!response.headers().contains_key(SET_COOKIE), "{other}");
        let page = response.text().await.unwrap();
        assert!(!page.contains("while you were reading"), "{other}");
        assert!(!page.contains(" checked"), "{other}");
    }
    let response = browser.get(&link).send().await.unwrap();
    let forgotten = response.headers()[SET_COOKIE].to_str().unwrap();
    assert!(forgotten.starts_with("ctxpin-unsent=; "), "{forgotten}");
    let page = response.text().await.unwrap();
    let said = "The workspace or the pin changed while you were reading. Nothing was moved.";
    assert!(page.contains(said), "{page}");
    assert_eq!(box_value(&page, file), file_box);
    assert!(is_ticked(&page, file_box));
    assert_ne!(box_value(&page, skill), skill_box);
    assert!(!is_ticked(&page, box_value(&page, skill)));
    server.stop().await;
}

#[tokio::test]
async fn a_refused_form_says_that_the_diff_below_is_another() {
    let server = Server::start().await;
    let browser = Browser::sign_in(&server, &server.token).await;
    let mut agent = Agent::create(&server).await;
    agent.push(&edition("Be kind.")).await;
    let chat = create_chat(&server, Some(agent.id), "A chat").await;
    let two = |text| edition(text).skill("pdf", "Reads PDFs.", &[]);
    agent.push(&two("Be quick.")).await;
    let (path, moves) = (format!("/chats/{chat}"), format!("/chats/{chat}/moves"));
    let page = browser.page(&path).await;
    // The button and the boxes disagree, and the form is shown again.
    let fields = [
        ("page", page_value(&page)),
        ("pin", hidden(&page, "pin").to_owned()),
        ("head", hidden(&page, "head").to_owned()),
        (
            "source",
            box_value(&page, "instruction_file /w/AGENTS.md").to_owned(),
        ),
        ("move", "all".to_owned()),
    ];
    let fields: Vec<_> = fields
        .iter()
        .map(|(name, value)| (*name, &**value))
        .collect();
    for (push, is_told) in [(None, false), (Some("Be late."), true)] {
        if let Some(text) = push {
            agent.push(&two(text)).await;
        }
        let refused = browser.post(&moves, &fields).await;
        assert_eq!(refused.status(), StatusCode::UNPROCESSABLE_ENTITY);
        let page = refused.text().await.unwrap();
        let told = page.contains("This diff is another one than you saw");
        assert_eq!(told, is_told, "{page}");
    }
    server.stop().await;
}

const TITLE: &str = "document.querySelector('main [name=title]')";
const FOLLOW: &str = "document.querySelector('main [name=policy][value=follow]')";

/// Types into the form of a new chat.
async fn type_in(browser: &mut Chromium) -> Result<()> {
    let typed = format!("{TITLE}.value = \"Half a 'title'\"; {FOLLOW}.checked = true");
    browser.evaluate(&typed).await?;
    Ok(())
}

/// Signs in on the page to which the browser was led.
async fn sign_in_again(browser: &mut Chromium, token: &str) -> Result<()> {
    browser.until("location.pathname === '/sign-in'").await?;
    let field = "document.querySelector('input[name=token]')";
    browser.until(&format!("{field} !== null")).await?;
    browser
        .evaluate(&format!("{field}.value = '{token}'"))
        .await?;
    browser.follow("[data-sign-in] button[type=submit]").await?;
    browser.until("location.pathname === '/chats/new'").await
}

#[tokio::test]
async fn what_was_typed_is_there_again_after_signing_in() -> Result<()> {
    let server = Server::start().await;
    let [eve, mira] = [user(&server, "eve").await, user(&server, "mira").await];
    let mut browser = Chromium::start().await?;
    let (id, secret) = token(&server, eve).await;
    sign_in(&mut browser, &server, &secret, "/chats/new").await?;
    let filled = format!("{TITLE}.value === \"Half a 'title'\" && {FOLLOW}.checked");
    let empty = format!("{TITLE}?.value === '' && !{FOLLOW}.checked");
    let ended = "document.getElementById('stream').textContent === 'signed out'";

    // The form is sent after the session has ended.
    type_in(&mut browser).await?;
    end(&server, id).await;
    browser.until(ended).await?;
    browser
        .evaluate(&format!("{TITLE}.form.requestSubmit()"))
        .await?;
    let (id, secret) = token(&server, eve).await;
    sign_in_again(&mut browser, &secret).await?;
    browser.until(&filled).await?;
    let said =
        "document.querySelector('.toast p')?.textContent === 'What you typed is here again.'";
    browser.until(said).await?;
    // It is there once.
    browser.evaluate("location.assign('/chats/new')").await?;
    browser.until(&empty).await?;

    // The reader has seen that the session has ended, and loads the page again.
    type_in(&mut browser).await?;
    end(&server, id).await;
    browser.until(ended).await?;
    browser.follow("#held").await?;
    let (id, secret) = token(&server, eve).await;
    sign_in_again(&mut browser, &secret).await?;
    browser.until(&filled).await?;

    // Another user finds nothing of it, on the page and in the browser.
    end(&server, id).await;
    browser.until(ended).await?;
    browser
        .evaluate(&format!("{TITLE}.form.requestSubmit()"))
        .await?;
    let (_, secret) = token(&server, mira).await;
    sign_in_again(&mut browser, &secret).await?;
    browser.until(&empty).await?;
    assert_eq!(browser.evaluate("sessionStorage.length").await?, 0);

    // Nor does whoever comes after somebody who has signed out.
    type_in(&mut browser).await?;
    browser
        .evaluate("sessionStorage['ctxpin-typed'] = '{}'")
        .await?;
    browser.click(".bar details.menu summary").await?;
    browser.follow("form[action='/sign-out'] button").await?;
    browser.until("location.pathname === '/sign-in'").await?;
    assert_eq!(browser.evaluate("sessionStorage.length").await?, 0);
    browser.no_errors()?;
    server.stop().await;
    Ok(())
}

#[tokio::test]
async fn the_page_that_signs_in_knows_who_is_signed_in() {
    let server = Server::start().await;
    let browser = Browser::sign_in(&server, &server.token).await;
    let page = browser.page("/sign-in?next=/chats").await;
    let known =
        "You are signed in as admin. <a href=\"/chats\">Go on</a>, or sign in with another token.";
    assert!(page.contains(known), "{page}");
    assert!(!page.contains("not signed in"), "{page}");
    server.stop().await;
}
