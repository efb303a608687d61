from pack.inner.child import grow

grow()
