-- What the evidence says of the newest turn of a chat that has any. It is written with the evidence, because every list of
-- chats shows it and counts by it.
alter table chats add column evidence_turn integer;
alter table chats add column evidence_verdict text;
alter table chats add column evidence_witness text;

update chats set (evidence_turn, evidence_verdict, evidence_witness) = (
    select t.number, t.evidence_verdict, t.evidence_witness from turns t
    where t.chat_id = chats.id and t.evidence_verdict is not null order by t.number desc limit 1
)
where exists (select 1 from turns t where t.chat_id = chats.id and t.evidence_verdict is not null);
