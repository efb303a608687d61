"""Types of the project: classes, their members, and what names stand for."""
