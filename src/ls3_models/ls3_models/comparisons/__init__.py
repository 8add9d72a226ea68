"""The methods that the paper compares LS3 with (sections 5.1 and 7.1.2 to 7.1.4), a file for each.

`sacfd`, `sacfd_rrl` and `awac` hold every line of the update. What the methods share stands beside
them: settings, networks, memory and the agent.
"""
