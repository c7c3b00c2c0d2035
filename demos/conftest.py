"""Keeps pytest from importing the lessons in search of doctests: importing a lesson runs it."""

from demos.lessons import LESSONS

collect_ignore = [lesson.path.name for lesson in LESSONS.values()]
