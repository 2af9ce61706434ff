//! Times of a chat's pin and of its drift, as parts of a query.

/// The move by which the chat of a row of `JOINS` got its pin, as `k`: that of before, if another one has moved it back.
macro_rules! made_by {
    () => {
        " from chat_pins k where k.chat_id = c.id and k.snapshot_id = c.pin_snapshot \
         and k.reason not in ('rollback', 'render') order by k.seq desc limit 1)"
    };
}

/// The time of the first head that the chat of a row of `JOINS` has not taken whole. The 64 are `PINS_READ_MAX`.
///
/// `walk` goes back through the pins from which a pin of parts was composed, each with when the chat left it. A move
/// back leads to the move by which the chat got that pin. A head that came after the chat had left a pin is none that
/// the chat had.
macro_rules! first_other_at {
    () => {
        concat!(
            "(select n.received_at from agent_heads n where n.agent_id = c.agent_id and n.seq > \
         coalesce((select max(e.seq) from agent_heads e where e.agent_id = c.agent_id \
          and e.context_hash = ps.context_hash and (c.tools = 'live' or e.tools_hash = ps.tools_hash)), \
         (with recursive walk (step, seq, got_at, head_seq) as (\
          select 0, made.seq, made.pinned_at, cast(null as bigint) \
           from (select k.seq, k.pinned_at",
            $crate::chat_times::made_by!(),
            " made \
          union all select w.step + 1, k.seq, k.pinned_at, \
           (select max(e.seq) from snapshots s join agent_heads e on e.context_hash = s.context_hash \
            and (c.tools = 'live' or e.tools_hash = s.tools_hash) \
            where s.id = k.snapshot_id and e.agent_id = c.agent_id and e.received_at <= w.got_at) \
           from walk w join chat_pins b on b.chat_id = c.id and b.seq = w.seq - 1 \
           join chat_pins k on k.chat_id = c.id and k.seq = (select g.seq from chat_pins g \
            where g.chat_id = c.id and g.seq <= b.seq and g.snapshot_id = b.snapshot_id \
            and g.reason not in ('rollback', 'render') order by g.seq desc limit 1) \
           where w.head_seq is null and w.step < 64) \
          select head_seq from walk where head_seq is not null)) \
         order by n.seq limit 1)"
        )
    };
}
pub(crate) use first_other_at;

/// The time at which the chat of a row of `JOINS` got its pin.
macro_rules! made_at {
    () => {
        concat!(
            "case when (select r.reason from chat_pins r where r.chat_id = c.id and r.seq = c.pin_seq) \
             in ('rollback', 'render') then (select k.pinned_at",
            $crate::chat_times::made_by!(),
            " else c.pinned_at end"
        )
    };
}
pub(crate) use made_at;
pub(crate) use made_by;
