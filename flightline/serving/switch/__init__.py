"""Serve another version of a model, without dropping a request.

steps      which steps a switch and its undoing consist of, and what each leaves in the state; pure
targets    the services and gateways of an inventory that serve a model; pure
modes      side by side, node by node or with downtime: which one, and the arithmetic; pure
gateways   runtime commands of the gateways, and what they answer
engines    commands on a node that runs an engine, and what they answer
golden     prompts with properties that an answer must have
probes     time to first token, measured by a streaming request
gates      may the new version go on: errors and time to first token against the old one; pure
node       how commands reach a node: the one way in and out
fleet      the nodes of one switch: states, weights and health, read and written
preflight  what must hold before anything changes
watch      what the gateways count while a step is held
run        walks the steps; stops, resumes and undoes
undo       goes back from whichever step a switch had reached
evidence   what engines and gateways said when a gate failed
records    what a run leaves for whoever reads it later
"""
