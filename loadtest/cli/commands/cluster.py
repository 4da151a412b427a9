"""`occbench cluster …`: clusters of Aurora DSQL."""

import sys
from typing import Annotated

import typer

cluster = typer.Typer(
    help="Make, list and delete clusters of Aurora DSQL.",
    no_args_is_help=True,
)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(cluster, name="cluster")


_REGIONS = typer.Option(
    "--region", help="Where: one Region, or several with commas between.", metavar="REGION"
)
_PROFILE = typer.Option(
    help="The profile of the AWS configuration whose credentials are used.", metavar="NAME"
)


@cluster.command("create")
def _cluster_create(
    region: Annotated[str, typer.Option(help="Where: us-east-1.", metavar="REGION")],
    name: Annotated[str | None, typer.Option(help="Its tag Name.", metavar="NAME")] = None,
    profile: Annotated[str | None, _PROFILE] = None,
    deletion_protection: Annotated[
        bool, typer.Option(help="Whether deleting it takes --lift-protection as well.")
    ] = False,
    peer_region: Annotated[
        str | None, typer.Option(help="Make a linked pair, the other half here.", metavar="REGION")
    ] = None,
    witness_region: Annotated[
        str | None,
        typer.Option(help="The third Region of a linked pair, without an endpoint.", metavar="REGION"),
    ] = None,
) -> None:
    """Make a cluster, or a linked pair, and print its `--target`.

    The command waits until the cluster is active. A cluster costs what is done with it and what it
    stores, until it is deleted. Ctrl-C while waiting leaves it there and says how to delete it.

    Examples:

    `occbench cluster create --region us-east-1 --name contention`

    `occbench cluster create --region us-east-1 --peer-region us-east-2 --witness-region us-west-2`
    """
    from loadtest.targets.dsql import clusters

    new = clusters.NewCluster(region, name, deletion_protection, peer_region, witness_region)
    made = clusters.create(clusters.ControlPlane(profile), new, _progress)
    print("\n".join(clusters.how_to_use(made, profile)))


@cluster.command("list")
def _cluster_list(
    region: Annotated[str, _REGIONS],
    profile: Annotated[str | None, _PROFILE] = None,
) -> None:
    """List the clusters of Regions, and which of them this tool made.

    Example: `occbench cluster list --region us-east-1,us-east-2`
    """
    from loadtest.targets.dsql import clusters

    control = clusters.ControlPlane(profile)
    regions = clusters.read_regions("--region", region)
    listed = [one for where in regions for one in control.all(where)]
    print("\n".join(clusters.listing(listed)) if listed else f"no clusters in {', '.join(regions)}")


@cluster.command("delete")
def _cluster_delete(
    identifiers: Annotated[list[str], typer.Argument(metavar="ID…", help="Clusters to delete.")],
    region: Annotated[str, _REGIONS],
    profile: Annotated[str | None, _PROFILE] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    lift_protection: Annotated[
        bool, typer.Option("--lift-protection", help="Delete it even if deletion protection is on.")
    ] = False,
) -> None:
    """Delete clusters that this tool made, with all their data.

    A cluster without the tag `occbench` is never deleted. Of a linked pair both halves go. Deletion
    protection is lifted only with --lift-protection.

    Example: `occbench cluster delete 4qabtsb7zhyjwvo2pmhqx4l5ny --region us-east-1`
    """
    from loadtest.targets.dsql import clusters

    control = clusters.ControlPlane(profile)
    wanted = clusters.find(control, identifiers, clusters.read_regions("--region", region))
    clusters.check_deletable(wanted, lift_protection=lift_protection)
    print("\n".join(clusters.listing(wanted)), flush=True)
    if not yes:
        clusters.confirm(wanted)
    clusters.delete(control, wanted, _progress)


def _progress(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
