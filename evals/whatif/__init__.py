"""What-if: change a team, ask its recorded runs what that would have cost, broken and mended; nobody is asked live."""
