"""Running the chunks of jobs: whose turn it is, what is sent, and what came of it made safe."""
