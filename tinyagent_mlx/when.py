from __future__ import annotations
from dataclasses import dataclass
import datetime
import re
@dataclass(frozen=True)
class Moment:
    at: datetime.datetime
    all_day: bool = False
    def iso(self): return self.at.strftime("%Y-%m-%d" if self.all_day else "%Y-%m-%d %H:%M:%S")
    def components(self):
        a=self.at
        return (a.year,a.month,a.day) if self.all_day else (a.year,a.month,a.day,a.hour,a.minute,a.second)
def parse_iso(text):
    return None
def count(words): 
    return int(words) if words.isdigit() else None
