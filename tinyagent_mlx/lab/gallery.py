"""Plan twenty requests with the shipped planner and print them for the README, wrong ones included.

python -m tinyagent_mlx.lab.gallery
"""

from __future__ import annotations

import argparse
from datetime import datetime

from tinyagent_mlx.cli import setup
from tinyagent_mlx.plan import print_plan

NOW = datetime(2026, 11, 23, 9)
REQUESTS = (
    "text 555-0199 that the package arrived",
    "what's Hadiza's phone number",
    "can you find Piet de Vries's email for me",
    "pull up the lease agreement.pdf",
    "give me the short version of Q3 roadmap.pdf",
    "email Ines and Lutfi about the studio rent, say it goes up in March",
    "answer this mail: Thursday works, see you there",
    "forward this to Dr. Mehta and copy ines@example.com",
    "where's the Museu do Azulejo",
    "how long is the walk from the station to 12 Elm Street",
    "new note in Recipes called dal: one cup lentils, two onions, cumin",
    "open my packing list",
    "add socks and a torch to the packing list",
    "don't let me forget to renew my passport on the 14th",
    "zoom link for the thesis defence, tuesday at 10, half an hour, with Hadiza",
    "dentist friday 8:30 to 9:15",
    "tell Mum and Sid that dinner is at eight",
    "summarize Q3 roadmap.pdf, email the summary to Sid and Lutfi, and put a sync on Friday at 3pm with both",
    "text my sister I'm on the 5:40 train and remind me at 5 to leave",
    "turn the lights off in the kitchen",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", help="another planner's folder")
    options = parser.parse_args()
    agent = setup.agent(
        argparse.Namespace(
            tools_file=None, home=None, model=options.model, retrieval="classifier", examples=None, shown=None
        )
    )
    for request in REQUESTS:
        planned = agent.plan(request, NOW)
        print(f"> {request}\n")
        print("```\n" + (print_plan(planned.plan) or "(refused)") + "\n```\n")


if __name__ == "__main__":
    main()
