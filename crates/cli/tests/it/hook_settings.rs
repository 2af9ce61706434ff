//! `ctxpin hook install`, `uninstall`, `status` and `pause`.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use crate::session::Session;

#[test]
fn hooks_are_put_into_the_settings_of_a_tool_and_taken_out_again() {
    let mut session = Session::start("app", "Ours.\n");
    session.tool("claude", "2.1.332");
    session.tool("codex", "0.171.1");
    let settings = session.directory.join("../home/.claude/settings.json");
    fs::create_dir(settings.parent().unwrap()).unwrap();
    let mine = "{\n  // mine\n  \"env\": {\"KEY\": \"sentinel\"}, // secret\n}\n";
    fs::write(&settings, mine).unwrap();
    let refused = session.run("ctxpin hook install claude-code");
    assert_eq!(refused.code, Some(1));
    assert_eq!(fs::read_to_string(&settings).unwrap(), mine);
    session.run("ctxpin hook install codex --print");
    session.run("ctxpin up --detach");
    session.run("ctxpin hook install claude-code");
    session.run("cat ~/.claude/settings.json");
    session.run("ctxpin hook install claude-code");
    session.run("ctxpin hook install codex");
    session.run("ctxpin token list");
    session.run("ctxpin hook pause");
    session.run("ctxpin hook status");
    session.run("ctxpin hook resume && ctxpin hook resume");
    session.run("printf 'model = \"x\" # mine\\n' > ~/.codex/config.toml");
    session.run("ctxpin hook install codex --trust");
    session.run("sed 's/sha256:.*\"/sha256:...\"/' ~/.codex/config.toml");
    session.run("ctxpin hook status | grep -A5 codex");
    session.run("printf '[features]\\nhooks = false\\n' >> ~/.codex/config.toml");
    session.run("ctxpin hook status | grep -A5 codex");
    session.run("ctxpin hook install claude-code --trust");
    session.run("ctxpin hook uninstall codex && ls ~/.codex && cat ~/.codex/config.toml");
    session.run("ctxpin hook uninstall claude-code");
    session.run("ctxpin hook uninstall claude-code");
    assert_eq!(fs::read_to_string(&settings).unwrap(), mine);
    session.run("ctxpin hook status --json");

    let hooks = session.bench.data().join("hooks");
    let token = fs::metadata(hooks.join("token")).unwrap();
    assert_eq!(token.permissions().mode() & 0o777, 0o600);
    for file in fs::read_dir(hooks).unwrap() {
        let text = fs::read_to_string(file.unwrap().path()).unwrap();
        assert!(!text.contains("sentinel"), "{text}");
    }
    session.run("ctxpin down");
    session.check("hooks");
}

#[test]
fn settings_of_codex_that_cannot_be_read_keep_no_hooks_in_the_others() {
    let mut session = Session::start("app", "Ours.\n");
    session.tool("codex", "0.171.0");
    let home = session.directory.join("../home/.codex");
    fs::create_dir(&home).unwrap();
    let mine = "{\r\n\t\"hooks\": {}\r\n}\r\n";
    let hooks = || fs::read_to_string(home.join("hooks.json")).unwrap();
    fs::write(home.join("hooks.json"), mine).unwrap();
    session.run("ctxpin up --detach");
    session.run("echo 'x = = 1' > ~/.codex/config.toml");
    session.run("ctxpin hook install codex --trust");
    assert_eq!(hooks(), mine);
    session.run("rm ~/.codex/config.toml && ctxpin hook install codex --trust");
    session.run("echo 'x = = 1' >> ~/.codex/config.toml");
    session.run("ctxpin hook uninstall codex");
    assert_eq!(hooks(), mine);
    session.run("sed -i '/x = = 1/d' ~/.codex/config.toml");
    session.run("ctxpin hook uninstall codex && cat ~/.codex/config.toml");
    session.run("ctxpin down");
    session.check("hooks_of_broken_settings");
}

#[test]
fn a_plugin_is_put_into_opencode_and_taken_out_again() {
    let mut session = Session::start("app", "Ours.\n");
    session.tool("opencode", "1.18.33");
    let home = session.directory.join("../home/.config/opencode");
    session.run("ctxpin hook install opencode --print");
    session.run("ctxpin up --detach");
    session.run("mkdir -p ~/.config/opencode/plugin");
    session.run("echo 'export const Mine = 1' > ~/.config/opencode/plugin/ctxpin.js");
    session.run("ctxpin hook install opencode");
    session.run("ctxpin hook uninstall opencode");
    session.run("ctxpin hook status");
    session.run("cat ~/.config/opencode/plugin/ctxpin.js");
    session.run("rm -r ~/.config/opencode");
    session.run("ctxpin hook install opencode");
    session.run("ctxpin hook install opencode");
    session.run("ctxpin hook status --json");
    session.run("echo '// mine' >> ~/.config/opencode/plugin/ctxpin.js");
    session.run("ctxpin hook status | grep -A4 opencode");
    session.run("ctxpin hook uninstall opencode");
    session.run("sed -i '/mine/d' ~/.config/opencode/plugin/ctxpin.js");
    session.run("ctxpin hook uninstall opencode");
    session.run("ctxpin hook uninstall opencode");
    assert!(!home.exists());
    session.run("ctxpin down");
    session.check("plugin");
}

#[test]
fn the_status_says_what_hooks_will_not_do() {
    let mut session = Session::start("app", "Ours.\n");
    session.tool("claude", "2.1.332");
    session.tool("opencode", "1.18.33");
    let path = session.directory.join("../home/bin/opencode");
    fs::write(&path, "#!/bin/sh\nexec sleep 60\n").unwrap();
    session.run("ctxpin up --detach --profile claude-code");
    // A link of the person's is what the tool calls. The directory of the release behind it comes and goes.
    session.run(
        "ln -s \"$(command -v ctxpin)\" ~/bin/pinned && ~/bin/pinned hook install claude-code",
    );
    session.run("ctxpin hook status");
    session.run("sed -i 's/\"timeout\": 5/\"timeout\": 2/' ~/.claude/settings.json");
    session.run("ctxpin hook status | grep -A5 claude");
    session.run("~/bin/pinned hook install claude-code");
    session.run("cp ~/bin/opencode ~/bin/other && ln -sf other ~/bin/pinned");
    session.run("ctxpin hook status | grep -A5 claude");
    session.run("rm ~/bin/pinned; ctxpin hook status | grep -A5 claude");
    session.run("ctxpin hook install claude-code");
    session.run("ctxpin hook status | grep -A5 claude");
    session.run("CTXPIN_DATA_DIR=$HOME/other ctxpin hook status | grep -A5 claude");
    session.run("CTXPIN_DATA_DIR=$HOME/other ctxpin hook uninstall claude-code; ls ~/.claude");
    session.run("ctxpin hook install claude-code");
    session.run("ctxpin down");
    session.run("CTXPIN_DATA_DIR=$HOME/other ctxpin up --detach");
    session.run("CTXPIN_DATA_DIR=$HOME/other ctxpin hook install claude-code");
    session.run("CTXPIN_DATA_DIR=$HOME/other ctxpin down");
    session.check("hook_remarks");
}
