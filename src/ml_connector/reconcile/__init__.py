"""Store, our postings and ERP side by side: is every order accounted for, and do the sums agree to the cent?"""
