"""A Django app that keeps what it rendered, asked by Django's own client without a pause."""
import django
from django.conf import settings
from django.http import HttpResponse
from django.template import engines
from django.urls import path

n_answers = n_failed = 0
kept = []


class KeptRender:
    def __init__(self, text):
        self.text = text


def page(request, n):
    text = engines["django"].from_string("Hello {{ n }}").render({"n": n})
    kept.append(KeptRender(text))
    return HttpResponse(text)


settings.configure(
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    SECRET_KEY="not one",
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates"}],
)
django.setup()
urlpatterns = [path("page/<int:n>/", page)]

from django.test import Client

client = Client()
say({"ready": os.getpid()})
while True:
    answer_ = client.get("/page/%d/" % n_answers)
    n_failed += answer_.status_code != 200 or answer_.content != b"Hello %d" % n_answers
    n_answers += 1
    poll()
