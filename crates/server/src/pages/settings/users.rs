//! The users of the server, for admins.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use ctxpin_model::access::{Operation, Role, Roles};
use ctxpin_model::id::UserId;
use ctxpin_model::user::{UserChange, UserRecord};
use ctxpin_operations::{overview, people};
use ctxpin_protocol::convert::members::{InvalidMember, chosen_name, word};

use super::{Tab, TabLink, tabs};
use crate::api_error::{ApiError, ApiResult};
use crate::app::App;
use crate::pages::PageCaller;
use crate::pages::answer::{Toast, Undo, Way};
use crate::pages::cursor::{CursorQuery, require_items};
use crate::pages::fields::{Fields, incomplete};
use crate::pages::form::PageForm;
use crate::pages::frame::{Frame, Place, html};
use crate::pages::parts::command::Command;
use crate::pages::parts::pager::Pager;
use crate::pages::parts::short_id::last_digits;
use crate::pages::parts::text::Text;
use crate::params::{PathParams, QueryParams};

/// The page of the users.
#[derive(Template)]
#[template(path = "settings/users.html")]
struct UsersPage {
    frame: Frame,
    tabs: Vec<TabLink>,
    rows: Vec<Row>,
    may_change: bool,
    pager: Pager,
    create: Command,
}

struct Row {
    id: UserId,
    name: String,
    roles: Roles,
    is_disabled: bool,
}

/// Shows the page.
pub(crate) async fn page(
    State(app): State<App>,
    caller: PageCaller,
    QueryParams(query): QueryParams<CursorQuery>,
) -> ApiResult<Response> {
    let asked = query.request()?;
    let users = people::users(&app.service, caller.credential, &asked).await?;
    require_items(&asked.part, &users.items)?;
    let overview = overview::read(&app.service, caller.credential).await?;
    let frame = Frame::of(&app, &caller, overview, Place::Settings, "Users");
    html(&UsersPage {
        tabs: tabs(Tab::Users, &frame),
        may_change: frame.may(Operation::UserChange),
        frame,
        pager: Pager::of(&users, |name, place| {
            format!("/settings/users?{name}={place}")
        }),
        rows: users.items.into_iter().map(Row::new).collect(),
        create: Command::new("Create", "ctxpin user create NAME")
            .filled("name=NAME;role=--role=ROLE"),
    })
}

impl Row {
    fn new(user: UserRecord) -> Self {
        Self {
            id: user.id,
            name: user.name,
            roles: user.roles,
            is_disabled: user.disabled,
        }
    }

    /// Returns the path of the forms that change the user.
    fn path(&self) -> String {
        format!("/settings/users/{}", self.id)
    }

    fn token_command(&self) -> String {
        token_command(self.id)
    }

    /// Returns the button that copies the command which disables or enables the user.
    fn disabling(&self) -> Command {
        disabling(!self.is_disabled, self.id)
    }

    fn role_names(&self) -> String {
        named(self.roles)
    }

    /// Returns all roles, and whether the user has each.
    fn choices(&self) -> impl Iterator<Item = (&'static str, bool)> {
        let roles = Role::ALL.iter();
        roles.map(|role| (role.as_str(), self.roles.has(*role)))
    }
}

/// Creates a user.
pub(crate) async fn create(State(app): State<App>, form: PageForm) -> ApiResult<Response> {
    let user = match created(&app, &form).await {
        Ok(user) => user,
        Err(error) => return shown_again(app, form, error).await,
    };
    let toast = Toast {
        done: format!(
            "Created {}. This makes a token for them: {}",
            user.name,
            token_command(user.id)
        ),
        undo: None,
        page_value: form.caller.page_value,
        address: None,
    };
    toast.answer(form.wants, "/settings/users")
}

/// Returns the command that makes a token for a user.
fn token_command(user: UserId) -> String {
    format!(
        "ctxpin token create --user {}",
        last_digits(&user.to_string())
    )
}

fn disabling(disabled: bool, user: UserId) -> Command {
    let (label, verb) = match disabled {
        true => ("Disable", "disable"),
        false => ("Enable", "enable"),
    };
    let user = user.to_string();
    Command::new(label, format!("ctxpin user {verb} {}", last_digits(&user)))
}

async fn created(app: &App, form: &PageForm) -> ApiResult<UserRecord> {
    let name = form.fields.get("name").unwrap_or_default().trim();
    let name = chosen_name("name", name.to_owned())?;
    let roles = form
        .fields
        .all("role")
        .map(|text| word::<Role>("role", text));
    let roles = roles.collect::<Result<_, _>>()?;
    Ok(people::user_create(&app.service, form.caller.credential, &name, roles).await?)
}

async fn shown_again(app: App, form: PageForm, error: ApiError) -> ApiResult<Response> {
    let query = QueryParams(CursorQuery::default());
    let again = |caller| page(State(app), caller, query);
    form.shown_again(error, again).await
}

/// Disables a user, enables them again, or changes their roles.
pub(crate) async fn change(
    State(app): State<App>,
    path: PathParams,
    form: PageForm,
) -> ApiResult<Response> {
    let user = path.id("user")?;
    let (change, changed) = match carried_out(&app, &form, user).await {
        Ok(carried_out) => carried_out,
        Err(error) => return shown_again(app, form, error).await,
    };
    let way = Way::of_form(&form.fields);
    let undone = change.disabled.map(|disabled| Undo {
        way: Way::back(way),
        command: disabling(!disabled, user).command,
        action: format!("/settings/users/{user}"),
        fields: vec![("disabled", (!disabled).to_string())],
    });
    let toast = Toast {
        done: match change.disabled {
            Some(true) => format!(
                "Disabled {}. Their sessions and tokens have ended.",
                changed.name
            ),
            Some(false) => format!("Enabled {}.", changed.name),
            None => format!("{} is now {}.", changed.name, named(changed.roles)),
        },
        undo: undone,
        page_value: form.caller.page_value,
        address: None,
    };
    toast.answer(form.wants, "/settings/users")
}

async fn carried_out(
    app: &App,
    form: &PageForm,
    user: UserId,
) -> ApiResult<(UserChange, UserRecord)> {
    let change = changed(&form.fields)?;
    let changed = people::user_change(&app.service, form.caller.credential, user, &change).await?;
    Ok((change, changed))
}

/// Reads a change. The form of the roles says that it is theirs, because a box that is not ticked sends nothing.
fn changed(fields: &Fields) -> Result<UserChange, InvalidMember> {
    let mut change = UserChange::default();
    match fields.get("change") {
        Some("roles") => {
            let roles = fields.all("role").map(|text| word::<Role>("role", text));
            change.roles = Some(roles.collect::<Result<_, _>>()?);
        }
        _ => change.disabled = Some(word_of_bool(fields)?),
    }
    Ok(change)
}

fn word_of_bool(fields: &Fields) -> Result<bool, InvalidMember> {
    match fields.get("disabled") {
        Some("true") => Ok(true),
        Some("false") => Ok(false),
        _ => Err(incomplete("disabled")),
    }
}

/// Returns the names of roles, or words for none.
fn named(roles: Roles) -> String {
    match roles.to_string() {
        none if none.is_empty() => "without a role".to_owned(),
        some => some,
    }
}
