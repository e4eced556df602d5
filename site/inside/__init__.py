"""What only the operator sees: where services are and what is around them, and how uplog itself does. All pure.

The public audience has none of it. Of this only index.html, inside.html and status.json carry what moves with each
round: the page of a service is written anew when there is news of it, or of something that it needs.
"""
