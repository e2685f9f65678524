"""Workers on several machines: network namespaces with addresses of their own, one of them cut off."""
