"""Serving: what roles and commands agree on about models, engines and the gateway; no role by name.

layout     where things are on a node, and what they are called
state      which version each slot of a service holds, and which one serves
upstreams  every engine of an inventory, as a gateway sees it
manifest   what a version of a model consists of, with a sha256 for each file
authority  the operator's roots, and what they sign for nodes; roots: their files
keys       API keys: hashes with name, role and limits
declared   what cannot work between the settings of several roles
switch     serve another version of a model, without dropping a request
"""
