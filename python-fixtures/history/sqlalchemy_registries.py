"""A reporting service that maps the tables of each tenant to classes made at run time, asks, and drops them.

In SQLAlchemy up to 2.0.32 the marker of a declarative base stays in a set of the module for good when its
last class has gone, since only markers with a parent were taken out. Since 2.0.33 all are.
Reference: sqlalchemy/sqlalchemy issue 11788.

hunt must say: `sqlalchemy.orm.clsregistry._registries` grows.
"""

import time

from sqlalchemy import Column, Integer, String, create_engine, select
from sqlalchemy.orm import Session, declarative_base

engine = create_engine("sqlite://", query_cache_size=20)


def report(tenant):
    base = declarative_base()
    order = type("Order", (base,), {
        "__tablename__": "orders",
        "id": Column(Integer, primary_key=True),
        "text": Column(String),
    })
    with Session(engine) as session:
        base.metadata.create_all(session.connection())
        session.add(order(text="for tenant %d" % tenant))
        session.flush()
        session.execute(select(order)).all()
        session.rollback()
    base.registry.dispose()


# The cache of statements is full before the watch begins.
for tenant in range(50):
    report(tenant)
print("ready", flush=True)
while True:
    tenant += 1
    report(tenant)
    time.sleep(0.02)
