//! Hostile content on every page, in a real browser: nothing of it runs, and the layout holds.

use anyhow::Result;
use ctxpin_browser::Chromium;
use ctxpin_protocol::http::agents::AgentCreate;
use ctxpin_protocol::http::people::UserChange;
use ctxpin_testing::workspace::Workspace;

use crate::accessibility::OVERFLOW;
use crate::browser::create_chat;
use crate::flows::{LIVE, signed_in};
use crate::scene::{self, Content};
use crate::server::{Agent, Server};

/// What would run, ask, load or lead elsewhere if a page took it for markup, for a template or for an address.
/// It sets `ran`, which [`HARM`] looks for.
const MARKUP: &str = "\
<script>window.ran = 1</script>
<img src=\"https://evil.example/pixel.png\" onerror=\"window.ran = 2\">
<svg onload=\"window.ran = 3\"><a href=\"javascript:window.ran = 4\">x</a></svg>
<iframe srcdoc=\"<script>parent.ran = 5</script>\"></iframe>
<style>* { display: none }</style><base href=\"https://evil.example/\">
<meta http-equiv=\"refresh\" content=\"0;url=https://evil.example/\">
<form action=\"https://evil.example/\"><button formaction=\"javascript:window.ran = 6\">x</button></form>
</pre></td></tr></table></div></main></body><script>alert(7)</script>
\" onclick=\"window.ran = 8\" ' autofocus onfocus='window.ran = 9
&lt;script&gt;window.ran = 10&lt;/script&gt; &#60;script>window.ran = 11</script>
{{ constructor.constructor('window.ran = 12')() }} {% raw %} ${window.ran = 13} <%= 14 %> `${15}`
[link](javascript:window.ran=16) [link](JaVaScRiPt:alert(17)) [link](data:text/html,<script>alert(18)</script>)
[link](//evil.example/) [link](vbscript:x) [link](https://fine.example/?a=\"onclick=\"b) <javascript:window.ran=19>
[link]( javascript:window.ran=20) [link](&#106;avascript:window.ran=21) ![image](https://evil.example/pixel.png)

[reference]: javascript:window.ran=22
[reference] and `code <script>window.ran = 23</script>`

# <img src=x onerror=\"window.ran = 24\"> [heading](javascript:window.ran=25)

| <script>window.ran = 26</script> | [cell](javascript:window.ran=27) |
|---|---|
| {{ 28 }} | <b onclick=\"window.ran = 29\">b</b> |

```<script>
window.ran = 30 \u{202E}</code></pre><script>window.ran = 31</script>
```
\u{202E}reversed\u{2066}isolated\u{200F}\u{7}bell\u{1b}[31mred\r\u{85}\u{2028}line\u{FEFF}
";

/// A title, a name, a label or a reference. The longest that is accepted has 200 characters.
const NAME: &str = "<script>window.ran=40</script>\u{202E}\"'onfocus=\"window.ran=41\" autofocus &lt;{{43}}${44}\
    <img src=//evil.example onerror=window.ran=42> javascript:window.ran=45 \
    wwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwww";

/// Lists what ran, or could run, or leads to a place where it should not.
const HARM: &str = "(() => {
    const harm = [];
    if (window.ran !== undefined) harm.push(`ran ${window.ran}`);
    const main = document.getElementById('main');
    if (!main?.checkVisibility()) harm.push('the page is hidden');
    const never = 'iframe, object, embed, base, img, style, meta[http-equiv], template, script:not([data-asset])';
    for (const element of document.querySelectorAll(never)) harm.push(element.outerHTML.slice(0, 100));
    for (const element of document.querySelectorAll('*')) {
        for (const { name, value } of element.attributes) {
            const leads = ['href', 'src', 'action', 'formaction', 'xlink:href', 'data'].includes(name);
            const to = leads && new URL(value, location.href);
            const isOurs = leads && to.origin === location.origin;
            const isAllowed = isOurs || element.matches('head > link[rel=icon]') || (element.matches('.prose a') && ['http:', 'https:'].includes(to.protocol));
            if (name.startsWith('on') || name === 'style' || (leads && !isAllowed)) harm.push(`${name}=${value}`);
        }
    }
    // A text shows what would reorder it. What an attribute holds is shown if it is one of these.
    const shown = [...document.querySelectorAll('[title], [aria-label], [placeholder]')].flatMap((element) =>
        ['title', 'aria-label', 'placeholder'].map((name) => element.getAttribute(name)));
    for (const text of [document.title, document.body.textContent, ...shown]) {
        const at = text?.search(/[\u{61C}\u{200E}\u{200F}\u{202A}-\u{202E}\u{2066}-\u{2069}]/u) ?? -1;
        if (at >= 0) harm.push(`another direction after ${text.slice(Math.max(0, at - 30), at)}`);
    }
    return harm;
})()";

/// Returns a workspace in which all is hostile that an agent can send.
fn workspace(line: &str) -> Workspace {
    let long = "x".repeat(100_000);
    let markup = format!("{line}\n{MARKUP}");
    Workspace::with_agents_md("/srv/<b>shop\u{202E}", &format!("{markup}{long}\n"))
        .file("<img src=x onerror=\"window.ran=50\">/AGENTS.md", &markup)
        .file("javascript:window.ran=51/\u{202E}{{52}}/CLAUDE.md", &markup)
        .file(&format!("{}/AGENTS.md", "y".repeat(200)), &markup)
        .skill(
            "pdf",
            &format!("{line} <script>window.ran=53</script>\u{202E}"),
            &[
                ("<script>window.ran=54<.sh", &markup),
                ("javascript:alert(55)", &markup),
            ],
        )
        .server(
            "<script>window.ran=56</script>",
            &["<img src=x onerror=window.ran=57>", "\u{202E}{{58}}"],
        )
        .broken(
            "<script>window.ran=59<.md",
            "<script>window.ran=60</script>\u{202E}",
        )
}

/// Gives the first user a hostile name, which is in the bar of each page.
async fn rename(server: &Server) {
    let me = server.client.me().await.unwrap();
    let change = UserChange {
        // Each user has a name of their own.
        name: Some(NAME.replace("www", "vvv")),
        ..UserChange::default()
    };
    server
        .client
        .user_change(me.user.id.into(), &change)
        .await
        .unwrap();
}

async fn check(browser: &mut Chromium, server: &Server, path: &str) -> Result<Vec<String>> {
    let mut found = Vec::new();
    // What is closed is part of the page.
    let open = "document.querySelectorAll('details').forEach((one) => { one.open = true; })";
    browser.evaluate(open).await?;
    for width in [360, 1440] {
        browser.resize(width, 900).await?;
        for script in [HARM, OVERFLOW] {
            let harm = browser.evaluate(script).await?;
            for harm in harm.as_array().into_iter().flatten() {
                found.push(format!("{path} {width}: {harm}"));
            }
        }
    }
    for transfer in browser.take_transfers() {
        if !transfer.url.starts_with(server.url.as_str()) {
            found.push(format!("{path} requests {}", transfer.url));
        }
    }
    if let Err(errors) = browser.no_errors() {
        found.push(format!("{path}: {errors}"));
    }
    Ok(found)
}

#[tokio::test]
async fn hostile_content_does_nothing_on_any_page() -> Result<()> {
    let server = Server::start().await;
    rename(&server).await;
    let content = Content {
        editions: [workspace("one"), workspace("two"), workspace("zero")],
        name: NAME.into(),
    };
    let paths = scene::set(&server, &content).await;
    let mut browser = signed_in(&server, "/").await?;
    let mut found = Vec::new();
    for path in &paths {
        browser.open(server.url.join(path)?.as_str()).await?;
        found.extend(check(&mut browser, &server, path).await?);
        browser.no_errors()?;
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
    server.stop().await;
    Ok(())
}

#[tokio::test]
async fn hostile_content_does_nothing_when_it_comes_by_news_and_in_toasts() -> Result<()> {
    let server = Server::start().await;
    let request = AgentCreate {
        workspace: NAME.into(),
        name: None,
        may_refresh: false,
        replaces: None,
        ..AgentCreate::default()
    };
    let created = server.client.agent_create(&request).await.unwrap();
    let mut agent = Agent::of(&server, created.agent.id, created.token).await;
    agent.push(&Workspace::with_agents_md("/w", "one\n")).await;
    let chat = create_chat(&server, Some(agent.id), NAME).await;
    let other = create_chat(&server, Some(agent.id), NAME).await;
    let mut browser = signed_in(&server, &format!("/chats/{chat}")).await?;
    agent.push(&workspace("two")).await;
    browser
        .until("document.querySelector('#diff td.added') !== null")
        .await?;
    let mut found = check(&mut browser, &server, "the diff").await?;
    // A copied id, and a decision with its way back. The toast comes first, and then the page without the diff.
    browser.click(".chat-rail .id").await?;
    browser
        .until("document.querySelector('.toast') !== null")
        .await?;
    browser.click("#decision [value=all]").await?;
    browser
        .until("document.querySelector('.toast [data-keys=u]') !== null && !document.querySelector('.file')")
        .await?;
    found.extend(check(&mut browser, &server, "the toast").await?);

    // A decision that fails names the chats.
    let list = server.url.join("/chats?show=drifted")?;
    agent.push(&workspace("three")).await;
    browser.open(list.as_str()).await?;
    browser.until(LIVE).await?;
    browser
        .evaluate("document.querySelectorAll('input[name=chat]').forEach((box) => box.click())")
        .await?;
    server.client.chat_delete(other).await.unwrap();
    browser
        .until("document.querySelector('.is-gone') !== null")
        .await?;
    browser.click("#selection [value=all]").await?;
    browser
        .until("document.querySelector('.toast.failed .failures li') !== null")
        .await?;
    found.extend(check(&mut browser, &server, "the failed toast").await?);
    assert!(found.is_empty(), "{}", found.join("\n"));
    server.stop().await;
    Ok(())
}
