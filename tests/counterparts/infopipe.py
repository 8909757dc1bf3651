"""SSSD's InfoPipe: GetUserAttr and GetUserGroups as sssd-ifp(5) has them, on the system bus. People
are a JSON list in a file.

infopipe.py PEOPLE READY
"""

import json
import sys

import dbus
import dbus.mainloop.glib
import dbus.service
from gi.repository import GLib

NAME = "org.freedesktop.sssd.infopipe"
PATH = "/org/freedesktop/sssd/infopipe"


class NotFound(dbus.DBusException):
    _dbus_error_name = "sbus.Error.NotFound"


class Infopipe(dbus.service.Object):
    def __init__(self, bus, people):
        super().__init__(bus, PATH)
        self.people = {person["name"]: person for person in people}

    def person(self, user):
        if user not in self.people:
            raise NotFound("No such file or directory")
        return self.people[user]

    @dbus.service.method(NAME, in_signature="sas", out_signature="a{sv}")
    def GetUserAttr(self, user, attrs):
        known = self.person(str(user))
        known = {**known["attributes"], "name": [known["name"]]}
        # What the directory behind SSSD does not have is left out.
        values = {name: [value for value in known.get(name, []) if value] for name in map(str, attrs)}
        return dbus.Dictionary(
            {name: dbus.Array(list, signature="s") for name, list in values.items() if list},
            signature="sv",
        )

    @dbus.service.method(NAME, in_signature="s", out_signature="as")
    def GetUserGroups(self, user):
        return dbus.Array(self.person(str(user))["groups"], signature="s")


def main(people, ready):
    dbus.mainloop.glib.DBusGMainLoop(set_as_default=True)
    bus = dbus.SystemBus()
    with open(people, encoding="utf-8") as file:
        pipe = Infopipe(bus, json.load(file))
    name = dbus.service.BusName(NAME, bus, do_not_queue=True)
    open(ready, "w", encoding="utf-8").close()
    GLib.MainLoop().run()
    del name, pipe


main(*sys.argv[1:])
