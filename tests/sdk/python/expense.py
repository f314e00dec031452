"""A newcomer's first workflow, written with nothing but the published LittleHorse client.

Registers a form and a workflow, runs it, works on its task as people would (claim, save, comment, complete) and
reads the run and its output back.
"""

import json
import time

import grpc
from kit import TAG, client, config, equal, refused, until
from littlehorse import create_workflow_spec
from littlehorse.model import (
    AssignUserTaskRunRequest, CompleteUserTaskRunRequest, EditUserTaskRunCommentRequest, GetLatestUserTaskDefRequest,
    GetLatestWfSpecRequest, LHStatus, ListNodeRunsRequest, ListUserTaskRunRequest, PutUserTaskDefRequest,
    PutUserTaskRunCommentRequest, RunWfRequest, SaveUserTaskRunProgressRequest, SearchUserTaskRunRequest,
    SearchWfRunRequest, UserTaskField, UserTaskRunStatus, VariableId, VariableType, VariableValue)
from littlehorse.workflow import Workflow, WorkflowThread

APPROVE, EXPLAIN, FLOW = f"approve-expense-{TAG}", f"explain-expense-{TAG}", f"expense-approval-{TAG}"
GROUP = f"finance-{TAG}"


def expense_approval(wf: WorkflowThread) -> None:
    requester = wf.declare_str("requester").required().searchable()
    amount = wf.declare_double("amount").required()
    decision = wf.declare_json_obj("decision")
    approved = wf.declare_bool("approved")
    outcome = wf.declare_str("outcome", default_value="open")
    explanation = wf.declare_str("explanation")

    answer = wf.assign_user_task(APPROVE, user_group=GROUP)
    answer.with_notes(wf.format("{0} spent {1}", requester, amount))
    decision.assign(answer)
    approved.assign(decision.with_json_path("$.approved"))

    def pay(then: WorkflowThread) -> None:
        outcome.assign("paid")

    def explain(otherwise: WorkflowThread) -> None:
        words = otherwise.assign_user_task(EXPLAIN, user_id=requester)
        explanation.assign(words.with_json_path("$.why"))
        outcome.assign("refused")

    wf.do_if(approved.is_equal_to(True), pay, explain)


def register():
    client.PutUserTaskDef(PutUserTaskDefRequest(name=APPROVE, description="May this be paid?", fields=[
        UserTaskField(name="approved", display_name="Approve it?", type=VariableType.BOOL, required=True),
        UserTaskField(name="amount", display_name="Amount paid", type=VariableType.DOUBLE),
        UserTaskField(name="receipts", display_name="Number of receipts", type=VariableType.INT, required=True),
        UserTaskField(name="comment", display_name="Comment", type=VariableType.STR),
    ]))
    client.PutUserTaskDef(PutUserTaskDefRequest(name=EXPLAIN, fields=[
        UserTaskField(name="why", display_name="Why was it needed?", type=VariableType.STR, required=True)]))
    for form in (APPROVE, EXPLAIN):
        until(form, lambda: client.GetLatestUserTaskDef(GetLatestUserTaskDefRequest(name=form)))
    create_workflow_spec(Workflow(FLOW, expense_approval), config)
    spec = until("the workflow", lambda: client.GetLatestWfSpec(GetLatestWfSpecRequest(name=FLOW)))
    equal("name of the registered workflow", spec.id.name, FLOW)
    # Registering the same again makes no new version.
    create_workflow_spec(Workflow(FLOW, expense_approval), config)
    equal("version after registering again", client.GetLatestWfSpec(GetLatestWfSpecRequest(name=FLOW)).id, spec.id)


def start(requester, amount):
    return client.RunWf(RunWfRequest(wf_spec_name=FLOW, variables={
        "requester": VariableValue(str=requester), "amount": VariableValue(double=amount)})).id


def variable(run, name):
    return client.GetVariable(VariableId(wf_run_id=run, thread_run_number=0, name=name)).value


def approve_one():
    """The run that goes well, with everything that people do to a task on the way."""
    run = start("bob", 1240.5)
    waiting = client.SearchUserTaskRun(SearchUserTaskRunRequest(
        user_group=GROUP, status=UserTaskRunStatus.UNASSIGNED, user_task_def_name=APPROVE))
    equal("tasks of the group", [found.wf_run_id for found in waiting.results], [run])
    task = waiting.results[0]
    seen = client.GetUserTaskRun(task)
    equal("notes", seen.notes, "bob spent 1,240.5")
    equal("scheduled in this minute", abs(seen.scheduled_time.ToSeconds() - time.time()) < 60, True)

    # Claim it; somebody else can then neither claim nor save it.
    client.AssignUserTaskRun(AssignUserTaskRunRequest(user_task_run_id=task, user_id="amy", user_group=GROUP))
    refused("a second claim", grpc.StatusCode.FAILED_PRECONDITION, lambda: client.AssignUserTaskRun(
        AssignUserTaskRunRequest(user_task_run_id=task, user_id="carl", user_group=GROUP)))
    refused("saving what amy holds", grpc.StatusCode.FAILED_PRECONDITION, lambda: client.SaveUserTaskRunProgress(
        SaveUserTaskRunProgressRequest(user_task_run_id=task, user_id="carl")))

    draft = {"receipts": VariableValue(int=2**62 + 1), "comment": VariableValue(str="checking <receipts> & taxes — ✓")}
    saved = client.SaveUserTaskRunProgress(
        SaveUserTaskRunProgressRequest(user_task_run_id=task, user_id="amy", results=draft))
    equal("the saved draft", dict(saved.results), draft)
    comment = client.PutUserTaskRunComment(PutUserTaskRunCommentRequest(
        user_task_run_id=task, user_id="carl", comment="one receipt is missing")).events[-1].comment_added
    client.EditUserTaskRunComment(EditUserTaskRunCommentRequest(
        user_task_run_id=task, user_comment_id=comment.user_comment_id, user_id="carl", comment="all receipts are there"))

    wrong = {"approved": VariableValue(str="yes"), "receipts": VariableValue(int=1)}
    refused("a text for a yes or no", grpc.StatusCode.INVALID_ARGUMENT, lambda: client.CompleteUserTaskRun(
        CompleteUserTaskRunRequest(user_task_run_id=task, user_id="amy", results=wrong)))
    results = {"approved": VariableValue(bool=True), "amount": VariableValue(double=1240.5),
               "receipts": VariableValue(int=2**62 + 1)}
    client.CompleteUserTaskRun(CompleteUserTaskRunRequest(user_task_run_id=task, user_id="amy", results=results))

    done = client.GetUserTaskRun(task)
    equal("status", (done.status, done.user_id, done.user_group), (UserTaskRunStatus.DONE, "amy", GROUP))
    equal("events", [event.WhichOneof("event") for event in done.events],
          ["assigned", "assigned", "saved", "comment_added", "comment_edited", "completed"])
    equal("the run", client.GetWfRun(run).status, LHStatus.COMPLETED)
    equal("the output", json.loads(variable(run, "decision").json_obj), {
        "approved": True, "amount": 1240.5, "receipts": 2**62 + 1, "comment": "checking <receipts> & taxes — ✓"})
    equal("its parts", (variable(run, "approved").bool, variable(run, "outcome").str), (True, "paid"))
    nodes = client.ListNodeRuns(ListNodeRunsRequest(wf_run_id=run)).results
    equal("nodes", [node.node_name.split("-")[-1] for node in sorted(nodes, key=lambda node: node.id.position)],
          ["ENTRYPOINT", "USER_TASK", "NOP", "NOP", "EXIT"])
    return run


def refuse_one():
    """The run that takes the other branch: the requester gets a task of their own."""
    run = start("bob", 86)
    asked = client.SearchUserTaskRun(SearchUserTaskRunRequest(user_group=GROUP, status=UserTaskRunStatus.UNASSIGNED))
    equal("open tasks of the group", len(asked.results), 1)
    client.CompleteUserTaskRun(CompleteUserTaskRunRequest(user_task_run_id=asked.results[0], user_id="amy", results={
        "approved": VariableValue(bool=False), "receipts": VariableValue(int=0)}))
    equal("the run waits", client.GetWfRun(run).status, LHStatus.RUNNING)
    mine = client.SearchUserTaskRun(SearchUserTaskRunRequest(user_id="bob", user_task_def_name=EXPLAIN))
    equal("tasks of bob", [found.wf_run_id for found in mine.results], [run])
    client.CompleteUserTaskRun(CompleteUserTaskRunRequest(
        user_task_run_id=mine.results[0], user_id="bob", results={"why": VariableValue(str="the train was late")}))
    equal("the run", client.GetWfRun(run).status, LHStatus.COMPLETED)
    texts = (variable(run, "outcome").str, variable(run, "explanation").str)
    equal("its texts", texts, ("refused", "the train was late"))
    equal("its tasks", len(client.ListUserTaskRuns(ListUserTaskRunRequest(wf_run_id=run)).results), 2)
    return run


def main():
    register()
    runs = [approve_one(), refuse_one()]
    refused("a run without its inputs", grpc.StatusCode.INVALID_ARGUMENT,
            lambda: client.RunWf(RunWfRequest(wf_spec_name=FLOW)))
    found = client.SearchWfRun(SearchWfRunRequest(wf_spec_name=FLOW, status=LHStatus.COMPLETED)).results
    equal("finished runs", sorted(run.id for run in found), sorted(run.id for run in runs))


if __name__ == "__main__":
    main()
