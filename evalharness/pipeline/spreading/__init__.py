"""Work that other processes do, on this machine or on many.

::

    fleet.py           portions of work for members that may be lost
    local_process.py   a member that is a process of this machine    local_worker.py  that process
    replica.py         the checkpoint, loaded once more to complete requests
    replicas.py        several of them as one Generator

    ray_cluster.py     a Ray cluster, reached                        ray_members.py   members that are its actors
    ray_judges.py      programs judged there                         ray_steps.py     steps of a series scored there
"""
